/* convert: architectures that are chains of convolutions.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"

#include <stdlib.h>
#include <string.h>

static gboolean
is_conv (SrganBuild *build, const gchar *name)
{
  SrganNamedTensor *tensor = srgan_build_find (build, name);

  return tensor != NULL && tensor->n_dimensions == 4;
}

static gboolean
is_vector (SrganBuild *build, const gchar *name)
{
  SrganNamedTensor *tensor = srgan_build_find (build, name);

  return tensor != NULL && tensor->n_dimensions == 1;
}

/* One more than the largest N of tensors STEM + "N.weight"; 0: there is none.
 */
static guint
get_end (SrganBuild *build, const gchar *stem)
{
  g_autofree gchar *start = g_strconcat (build->prefix, stem, NULL);
  guint end = 0;

  for (guint i = 0; i < build->set->tensors->len; i++) {
    const SrganNamedTensor *tensor = g_ptr_array_index (build->set->tensors, i);
    const gchar *rest = tensor->name + strlen (start);

    if (g_str_has_prefix (tensor->name, start) && g_ascii_isdigit (*rest))
      end = MAX (end, (guint) MIN (strtoul (rest, NULL, 10), 4096) + 1);
  }
  return end;
}

/* @input enlarged to the nearest and added to @residual. */
static gint
add_nearest (SrganBuild *build, gint residual, gint input, guint scale)
{
  gint base =
      srgan_build_resize (build, input, "base", scale, SRGAN_FILTER_NEAREST);

  return srgan_build_add (build, "sum", residual, base);
}

/* --- SRVGGNetCompact (Wang et al. 2021, Real-ESRGAN) -----------------------
 */

gboolean
srgan_match_srvggnet (SrganBuild *build)
{
  guint end = get_end (build, "body.");
  guint last, channels;

  if (end < 3 || !is_conv (build, "body.0.weight"))
    return FALSE;
  last = end - 1;
  channels = srgan_build_get_dimension (build, "body.0.weight", 1);
  return srgan_build_get_root (
             srgan_build_get_dimension (
                 build, srgan_build_name (build, "body.%u.weight", last), 0),
             channels) > 0 &&
         !srgan_build_has (build, "conv_first.weight") &&
         !srgan_build_has (build, "head.0.weight");
}

gint
srgan_build_srvggnet (SrganBuild *build)
{
  guint end = get_end (build, "body.");
  guint channels = srgan_build_get_dimension (build, "body.0.weight", 1);
  guint width = srgan_build_get_dimension (build, "body.0.weight", 0);
  guint scale = srgan_build_get_root (
      srgan_build_get_dimension (
          build, srgan_build_name (build, "body.%u.weight", end - 1), 0),
      channels);
  gboolean assumed = FALSE;
  guint n_convs = 0;
  gint input, map;

  for (guint i = 0; i < end; i++)
    n_convs += is_conv (build, srgan_build_name (build, "body.%u.weight", i));
  input = map = srgan_build_start_plain (build,
      srgan_build_name (build, "SRVGGNetCompact, %u channels, %u convolutions",
          width, n_convs),
      scale, channels);
  for (guint i = 0; i < end && build->error == NULL; i++) {
    SrganBuildHow how = {0};
    const gchar *slope = srgan_build_name (build, "body.%u.weight", i + 1);

    if (!is_conv (build, srgan_build_name (build, "body.%u.weight", i)))
      continue;
    if (is_vector (build, slope)) {
      how.activation = SRGAN_ACTIVATION_PRELU;
      how.slope = slope;
    } else if (i + 1 < end) {
      const gchar *class = srgan_build_get_hint (
          build, srgan_build_name (build, "body.%u.__class__", i + 1));

      /* Real-ESRGAN's other two */
      if (g_strcmp0 (class, "LeakyReLU") == 0) {
        how.activation = SRGAN_ACTIVATION_LEAKY_RELU;
        how.low = .1f;
      } else {
        how.activation = SRGAN_ACTIVATION_RELU;
        assumed = class == NULL;
      }
    }
    map = srgan_build_conv (
        build, map, srgan_build_name (build, "body.%u", i), &how);
  }
  if (assumed)
    srgan_report_remark (build->report,
        "no slopes are in the file: ReLU was assumed between convolutions");
  map = srgan_build_shuffle (build, map, "shuffle", scale);
  return add_nearest (build, map, input, scale);
}

/* --- ECBSR (Zhang et al. 2021), ABPN (Du et al. 2021) ------------------------
 */

static const gchar *const ecb_branches[] = {
    "conv1x1_3x3", "conv1x1_sbx", "conv1x1_sby", "conv1x1_lpl"};

/* The convolution of backbone.N: "backbone.N", "backbone.N.0" or, as trained,
 * the block "backbone.N" of five branches. */
static const gchar *
get_backbone (SrganBuild *build, guint index)
{
  const gchar *name = srgan_build_name (build, "backbone.%u", index);
  const gchar *inner = srgan_build_name (build, "%s.0", name);

  if (is_conv (build, srgan_build_name (build, "%s.weight", name)))
    return name;
  if (is_conv (build, srgan_build_name (build, "%s.weight", inner)))
    return inner;
  if (is_conv (build, srgan_build_name (build, "%s.conv3x3.weight", name)))
    return name;
  return NULL;
}

static const gchar *
get_backbone_weight (SrganBuild *build, const gchar *name)
{
  const gchar *plain = srgan_build_name (build, "%s.weight", name);

  return is_conv (build, plain)
             ? plain
             : srgan_build_name (build, "%s.conv3x3.weight", name);
}

gboolean
srgan_match_backbone (SrganBuild *build)
{
  return get_end (build, "backbone.") >= 2 && get_backbone (build, 0) != NULL;
}

/* Adds what branch @name, a 1x1 convolution and a fixed or learned 3x3 one,
 * comes to as one 3x3 convolution. The border needs no care: there the block
 * pads with the bias of the first. */
static void
add_branch (SrganBuild *build, const gchar *name, guint out, guint in,
    gfloat *weight, gfloat *bias)
{
  const gchar *k1_name = srgan_build_name (build, "%s.k1", name);
  gboolean learned = srgan_build_has (build, "%s", k1_name);
  guint middle = srgan_build_get_dimension (
      build, srgan_build_name (build, "%s.k0", name), 0);
  g_autofree gfloat *k0 =
      srgan_build_get_numbers (build, srgan_build_name (build, "%s.k0", name));
  g_autofree gfloat *b0 =
      srgan_build_get_numbers (build, srgan_build_name (build, "%s.b0", name));
  g_autofree gfloat *k1 = NULL, *b1 = NULL, *mask = NULL;

  if (learned) {
    k1 = srgan_build_get_numbers (build, k1_name);
    b1 = srgan_build_get_numbers (
        build, srgan_build_name (build, "%s.b1", name));
  } else {
    k1 = srgan_build_get_numbers (
        build, srgan_build_name (build, "%s.scale", name));
    mask = srgan_build_get_numbers (
        build, srgan_build_name (build, "%s.mask", name));
    b1 = srgan_build_get_numbers (
        build, srgan_build_name (build, "%s.bias", name));
  }
  if (build->error != NULL)
    return;
#define N(tensor)                              \
  srgan_named_tensor_get_n (srgan_build_find ( \
      build, srgan_build_name (build, "%s.%s", name, tensor)))
  if (N ("k0") != (guint64) middle * in || N ("b0") != middle ||
      (learned ? N ("k1") != (guint64) out * middle * 9 || N ("b1") != out
               : middle != out || N ("scale") != out ||
                     N ("mask") != (guint64) out * 9 || N ("bias") != out)) {
    srgan_build_fail (build,
        "tensor '%s%s.k0': has another shape than the "
        "block's others",
        build->prefix, name);
    return;
  }
#undef N
  for (guint o = 0; o < out; o++) {
    gdouble sum = b1[o];

    for (guint m = learned ? 0 : o; m < (learned ? middle : o + 1); m++)
      for (guint tap = 0; tap < 9; tap++) {
        gdouble factor = learned ? k1[((gsize) o * middle + m) * 9 + tap]
                                 : (gdouble) k1[o] * mask[o * 9 + tap];

        sum += factor * b0[m];
        for (guint i = 0; i < in; i++)
          weight[((gsize) o * in + i) * 9 + tap] +=
              (gfloat) (factor * k0[(gsize) m * in + i]);
      }
    bias[o] += (gfloat) sum;
  }
}

/* A block as it was trained, as one convolution. */
static gint
build_ecb (
    SrganBuild *build, gint map, const gchar *name, const SrganBuildHow *how)
{
  const gchar *conv = srgan_build_name (build, "%s.conv3x3.weight", name);
  guint out = srgan_build_get_dimension (build, conv, 0);
  guint in = srgan_build_get_dimension (build, conv, 1);
  gfloat *weight = srgan_build_get_numbers (build, conv);
  gfloat *bias = srgan_build_get_numbers (
      build, srgan_build_name (build, "%s.conv3x3.bias", name));

  if (srgan_build_get_dimension (build, conv, 2) != 3 ||
      srgan_build_get_dimension (build, conv, 3) != 3 ||
      (bias != NULL &&
          srgan_build_get_dimension (build,
              srgan_build_name (build, "%s.conv3x3.bias", name), 0) != out))
    srgan_build_fail (
        build, "tensor '%s%s': is no 3x3 convolution's", build->prefix, conv);
  for (guint i = 0; i < G_N_ELEMENTS (ecb_branches) && build->error == NULL;
       i++)
    add_branch (build, srgan_build_name (build, "%s.%s", name, ecb_branches[i]),
        out, in, weight, bias);
  if (build->error != NULL) {
    g_free (weight);
    g_free (bias);
    return 0;
  }
  return srgan_build_conv_of (
      build, map, name, out, in, 3, 3, weight, bias, how);
}

gint
srgan_build_backbone (SrganBuild *build)
{
  guint end = get_end (build, "backbone.");
  const gchar *first = get_backbone (build, 0);
  g_autoptr (GPtrArray) convs = g_ptr_array_new ();
  guint channels, width, out, scale, n_convs;
  gboolean has_clip, has_slopes = FALSE, as_trained = FALSE;
  gint input, map;
  const gchar *weight;

  for (guint i = 0; i < end; i++) {
    const gchar *name = get_backbone (build, i);

    if (name != NULL)
      g_ptr_array_add (convs, (gpointer) name);
  }
  n_convs = convs->len;
  if (first == NULL || n_convs < 2) {
    srgan_build_fail (build, "no 'backbone.N' is a convolution");
    return 0;
  }
  channels =
      srgan_build_get_dimension (build, get_backbone_weight (build, first), 1);
  width =
      srgan_build_get_dimension (build, get_backbone_weight (build, first), 0);
  weight = get_backbone_weight (build, g_ptr_array_index (convs, n_convs - 1));
  out = srgan_build_get_dimension (build, weight, 0);
  /* The "equivalently transformed" kinds end in a 1x1 convolution, clip at 0
   * and 1 with it and carry the input along; a channel may be there for the
   * width's sake alone. */
  has_clip = srgan_build_get_dimension (build, weight, 2) == 1;
  scale = srgan_build_get_root (out, channels);
  if (scale == 0 && has_clip)
    scale = srgan_build_get_root (out - 1, channels);
  if (scale == 0)
    srgan_build_fail (build,
        "tensor '%s%s': %u channels are no multiple by a square of %u",
        build->prefix, weight, out, channels);
  for (guint i = 0; i < n_convs; i++) {
    const gchar *name = g_ptr_array_index (convs, i);

    as_trained |= srgan_build_has (build, "%s.conv3x3.weight", name);
    has_slopes |= srgan_build_has (build, "%s.act.weight", name) ||
                  (g_str_has_suffix (name, ".0") &&
                      is_vector (build, srgan_build_name (build, "%.*s1.weight",
                                            (gint) strlen (name) - 1, name)));
  }
  input = map = srgan_build_start_plain (build,
      srgan_build_name (build, "%s%s, %u channels, %u convolutions",
          has_slopes || as_trained ? "ECBSR" : "ABPN",
          has_clip ? " (equivalently transformed)" : "", width, n_convs),
      scale, channels);
  for (guint i = 0; i < n_convs && build->error == NULL; i++) {
    const gchar *name = g_ptr_array_index (convs, i);
    const gchar *slope = srgan_build_name (build, "%s.act.weight", name);
    SrganBuildHow how = {0};

    if (g_str_has_suffix (name, ".0") && !srgan_build_has (build, "%s", slope))
      slope = srgan_build_name (
          build, "%.*s1.weight", (gint) strlen (name) - 1, name);
    if (is_vector (build, slope)) {
      how.activation = SRGAN_ACTIVATION_PRELU;
      how.slope = slope;
    } else if (i + 1 < n_convs || has_clip) {
      how.activation = SRGAN_ACTIVATION_RELU;
    }
    map = srgan_build_has (build, "%s.conv3x3.weight", name)
              ? build_ecb (build, map, name, &how)
              : srgan_build_conv (build, map, name, &how);
  }
  if (as_trained)
    srgan_report_remark (build->report,
        "each block's five branches folded into one convolution");
  if (out != channels * scale * scale) {
    const SrganLayer layer = {.name = (gchar *) "without-filler",
        .operation = SRGAN_OPERATION_SLICE,
        .n_inputs = 1,
        .inputs = {map},
        .out_channels = channels * scale * scale};

    map = srgan_build_layer (build, &layer);
  }
  map = srgan_build_shuffle (build, map, "shuffle", scale);
  return has_clip ? map : add_nearest (build, map, input, scale);
}

/* --- ETDS (Chao et al. 2023)
 * -------------------------------------------------- */

gboolean
srgan_match_etds (SrganBuild *build)
{
  return is_conv (build, "conv_first.weight") &&
         is_conv (build, "backbone_convs.0.weight") &&
         is_conv (build, "conv_last.weight");
}

/* Puts the numbers of convolution @name into a larger one, from channel
 * (@to, @from) on. */
static void
place_conv (SrganBuild *build, const gchar *name, guint to, guint from,
    guint out, guint in, gfloat *weight, gfloat *bias)
{
  const gchar *weight_name = srgan_build_name (build, "%s.weight", name);
  const gchar *bias_name = srgan_build_name (build, "%s.bias", name);
  guint n_out = srgan_build_get_dimension (build, weight_name, 0);
  guint n_in = srgan_build_get_dimension (build, weight_name, 1);
  g_autofree gfloat *numbers = srgan_build_get_numbers (build, weight_name);
  g_autofree gfloat *offsets = srgan_build_has (build, "%s", bias_name)
                                   ? srgan_build_get_numbers (build, bias_name)
                                   : NULL;

  if (build->error != NULL)
    return;
  if (srgan_build_get_dimension (build, weight_name, 2) != 3 ||
      srgan_build_get_dimension (build, weight_name, 3) != 3 ||
      to + n_out > out || from + n_in > in ||
      (offsets != NULL &&
          srgan_build_get_dimension (build, bias_name, 0) != n_out)) {
    srgan_build_fail (build, "tensor '%s%s': its shape does not fit the others",
        build->prefix, weight_name);
    return;
  }
  for (guint o = 0; o < n_out; o++) {
    memcpy (weight + ((gsize) (to + o) * in + from) * 9,
        numbers + (gsize) o * n_in * 9, (gsize) n_in * 9 * sizeof *weight);
    if (offsets != NULL)
      bias[to + o] += offsets[o];
  }
}

/* As trained: two branches, of which the second carries the picture along. Both
 * together are one chain of wider convolutions, which is what the folded form
 * is, too. */
static gint
build_etds_branches (SrganBuild *build, guint n_blocks)
{
  guint channels = srgan_build_get_dimension (build, "conv_first.weight", 1);
  guint n = srgan_build_get_dimension (build, "conv_first.weight", 0);
  guint r = srgan_build_get_dimension (build, "conv_residual_first.weight", 0);
  guint out = srgan_build_get_dimension (build, "conv_last.weight", 0);
  guint scale = srgan_build_get_root (out, channels);
  gboolean advanced =
      srgan_build_has (build, "advanced_residual_convs.0.weight");
  const SrganBuildHow relu = {.activation = SRGAN_ACTIVATION_RELU};
  gint map;

  map = srgan_build_start_plain (build,
      srgan_build_name (build, "ETDS as trained, %u + %u channels, %u blocks",
          n, r, n_blocks),
      scale, channels);
  if (scale == 0)
    srgan_build_fail (build,
        "tensor '%sconv_last.weight': %u channels are no "
        "multiple by a square of %u",
        build->prefix, out, channels);
  for (guint i = 0; i < n_blocks + 2 && build->error == NULL; i++) {
    gboolean first = i == 0, last = i == n_blocks + 1;
    guint to = last ? out : n + r, from = first ? channels : n + r;
    gfloat *weight = g_new0 (gfloat, (gsize) to * from * 9);
    gfloat *bias = g_new0 (gfloat, to);

    if (first) {
      place_conv (build, "conv_first", 0, 0, to, from, weight, bias);
      place_conv (build, "conv_residual_first", n, 0, to, from, weight, bias);
    } else if (last) {
      place_conv (build, "conv_last", 0, 0, to, from, weight, bias);
      place_conv (build, "conv_residual_last", 0, n, to, from, weight, bias);
    } else {
      static const struct {
        const gchar *format;
        gboolean to_residual, from_residual;
      } parts[] = {
          {"backbone_convs.%u", FALSE, FALSE},
          {"add_residual_convs.%u", FALSE, TRUE},
          {"residual_convs.%u", TRUE, TRUE},
          {"advanced_residual_convs.%u", TRUE, FALSE},
      };

      for (guint j = 0; j < (advanced ? 4u : 3u); j++) {
        g_autofree gchar *number = g_strdup_printf ("%u", i - 1);
        g_auto (GStrv) halves = g_strsplit (parts[j].format, "%u", 2);
        const gchar *name = srgan_build_name (build, "%s%s", halves[0], number);

        if (j == 1 && !srgan_build_has (build, "%s.weight", name))
          continue; /* the ablation without */
        place_conv (build, name, parts[j].to_residual ? n : 0,
            parts[j].from_residual ? n : 0, to, from, weight, bias);
      }
    }
    map = srgan_build_conv_of (build, map,
        last ? "conv_last" : srgan_build_name (build, "conv%u", i), to, from, 3,
        3, weight, bias, last ? NULL : &relu);
  }
  srgan_report_remark (
      build->report, "both branches folded into one chain of convolutions");
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

gint
srgan_build_etds (SrganBuild *build)
{
  guint n_blocks = srgan_build_count (build, "backbone_convs.%u.weight", 0);
  guint channels = srgan_build_get_dimension (build, "conv_first.weight", 1);
  guint out = srgan_build_get_dimension (build, "conv_last.weight", 0);
  gboolean has_clip = is_conv (build, "conv_clip.weight");
  guint scale = srgan_build_get_root (out, channels);
  gint map;

  if (srgan_build_has (build, "conv_residual_first.weight"))
    return build_etds_branches (build, n_blocks);
  if (scale == 0 && out > 1)
    scale = srgan_build_get_root (out - 1, channels);
  if (scale == 0)
    srgan_build_fail (build,
        "tensor '%sconv_last.weight': %u channels are no "
        "multiple by a square of %u",
        build->prefix, out, channels);
  map = srgan_build_start_plain (build,
      srgan_build_name (build, "%s, %u channels, %u blocks",
          has_clip ? "ETDS" : "plain chain of ETDS's kind",
          srgan_build_get_dimension (build, "conv_first.weight", 0), n_blocks),
      scale, channels);
  map = srgan_build_conv_with (
      build, map, "conv_first", SRGAN_ACTIVATION_RELU, 0);
  for (guint i = 0; i < n_blocks; i++)
    map = srgan_build_conv_with (build, map,
        srgan_build_name (build, "backbone_convs.%u", i), SRGAN_ACTIVATION_RELU,
        0);
  map = srgan_build_conv_with (build, map, "conv_last",
      has_clip ? SRGAN_ACTIVATION_RELU : SRGAN_ACTIVATION_NONE, 0);
  if (has_clip)
    map = srgan_build_conv_with (
        build, map, "conv_clip", SRGAN_ACTIVATION_RELU, 0);
  if (out != channels * scale * scale) {
    const SrganLayer layer = {.name = (gchar *) "without-filler",
        .operation = SRGAN_OPERATION_SLICE,
        .n_inputs = 1,
        .inputs = {map},
        .out_channels = channels * scale * scale};

    map = srgan_build_layer (build, &layer);
  }
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

/* --- ESPCN (Shi et al. 2016)
 * ---------------------------------------------------- */

/* How those who published one spell it. */
static const struct {
  const gchar *convs[5]; /* to the first that is missing */
  SrganActivation between;
  SrganActivation last;
} espcn_spellings[] = {
    /* PyTorch's example: four, ReLU, nothing at the end */
    {{"conv1", "conv2", "conv3", "conv4"}, SRGAN_ACTIVATION_RELU,
        SRGAN_ACTIVATION_NONE},
    {{"conv1", "conv2", "conv3"}, SRGAN_ACTIVATION_TANH,
        SRGAN_ACTIVATION_SIGMOID},
    {{"first_part.0", "first_part.2", "last_part.0"}, SRGAN_ACTIVATION_TANH,
        SRGAN_ACTIVATION_NONE},
    {{"feature_maps.0", "feature_maps.2", "sub_pixel.0"}, SRGAN_ACTIVATION_TANH,
        SRGAN_ACTIVATION_CLIP},
};

/* The spelling, or -1. */
static gint
find_espcn (SrganBuild *build, guint *n_convs)
{
  for (guint i = 0; i < G_N_ELEMENTS (espcn_spellings); i++) {
    const gchar *const *convs = espcn_spellings[i].convs;
    const gchar *weight;
    guint n = 0;

    while (convs[n] != NULL &&
           is_conv (build, srgan_build_name (build, "%s.weight", convs[n])))
      n++;
    if (convs[n] != NULL)
      continue;
    weight = srgan_build_name (build, "%s.weight", convs[n - 1]);
    if (srgan_build_get_root (srgan_build_get_dimension (build, weight, 0),
            srgan_build_get_dimension (build,
                srgan_build_name (build, "%s.weight", convs[0]), 1)) > 1) {
      *n_convs = n;
      return (gint) i;
    }
  }
  return -1;
}

gboolean
srgan_match_espcn (SrganBuild *build)
{
  guint n;

  return find_espcn (build, &n) >= 0 &&
         !srgan_build_has (build, "conv5.weight");
}

gint
srgan_build_espcn (SrganBuild *build)
{
  guint n = 0, channels, scale;
  gint spelling = find_espcn (build, &n), map;
  const gchar *const *convs;
  const gchar *first;

  if (spelling < 0) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  convs = espcn_spellings[spelling].convs;
  first = srgan_build_name (build, "%s.weight", convs[0]);
  channels = srgan_build_get_dimension (build, first, 1);
  scale = srgan_build_get_root (
      srgan_build_get_dimension (
          build, srgan_build_name (build, "%s.weight", convs[n - 1]), 0),
      channels);
  map = srgan_build_start_plain (build,
      srgan_build_name (build, "ESPCN, %u channels, %u convolutions",
          srgan_build_get_dimension (build, first, 0), n),
      scale, channels);
  for (guint i = 0; i < n; i++) {
    SrganBuildHow how = {.high = 1.f};

    how.activation = i + 1 < n ? espcn_spellings[spelling].between
                               : espcn_spellings[spelling].last;
    map = srgan_build_conv (build, map, convs[i], &how);
  }
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

/* --- FSRCNN (Dong et al. 2016)
 * --------------------------------------------------- */

static const gchar *const fsrcnn_spellings[][5] = {
    /* first, middle, expansion, deconvolution */
    {"first_part", "mid_part", NULL, "last_part"},
    {"feature_extraction", "map", "expand", "deconv"},
};

static gint
find_fsrcnn (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (fsrcnn_spellings); i++)
    if (is_conv (build,
            srgan_build_name (build, "%s.0.weight", fsrcnn_spellings[i][0])) &&
        is_conv (build,
            srgan_build_name (build, "%s.0.weight", fsrcnn_spellings[i][1])) &&
        is_conv (build,
            srgan_build_name (build, "%s.weight", fsrcnn_spellings[i][3])))
      return (gint) i;
  return -1;
}

gboolean
srgan_match_fsrcnn (SrganBuild *build)
{
  return find_fsrcnn (build) >= 0;
}

/* The convolutions of the sequence @part, with their slopes. */
static gint
build_sequence (SrganBuild *build, gint map, const gchar *part, guint *n_convs)
{
  guint end = get_end (build, srgan_build_name (build, "%s.", part));

  for (guint i = 0; i < end && build->error == NULL; i++) {
    const gchar *name = srgan_build_name (build, "%s.%u", part, i);
    const gchar *slope = srgan_build_name (build, "%s.%u.weight", part, i + 1);
    SrganBuildHow how = {0};

    if (!is_conv (build, srgan_build_name (build, "%s.weight", name)))
      continue;
    if (is_vector (build, slope)) {
      how.activation = SRGAN_ACTIVATION_PRELU;
      how.slope = slope;
    }
    map = srgan_build_conv (build, map, name, &how);
    ++*n_convs;
  }
  return map;
}

gint
srgan_build_fsrcnn (SrganBuild *build)
{
  gint spelling = find_fsrcnn (build), map;
  const gchar *const *names;
  const gchar *first, *last;
  guint channels, scale, side, n_convs = 0;

  if (spelling < 0) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  names = fsrcnn_spellings[spelling];
  first = srgan_build_name (build, "%s.0.weight", names[0]);
  last = srgan_build_name (build, "%s.weight", names[3]);
  channels = srgan_build_get_dimension (build, first, 1);
  side = srgan_build_get_dimension (build, last, 2);
  scale = srgan_build_guess_scale (build);
  map = srgan_build_start_plain (build,
      srgan_build_name (build, "FSRCNN, %u and %u channels",
          srgan_build_get_dimension (build, first, 0),
          srgan_build_get_dimension (
              build, srgan_build_name (build, "%s.0.weight", names[1]), 0)),
      scale, channels);
  map = build_sequence (build, map, names[0], &n_convs);
  if (srgan_build_has (build, "shrink.0.weight"))
    map = build_sequence (build, map, "shrink", &n_convs);
  map = build_sequence (build, map, names[1], &n_convs);
  if (names[2] != NULL)
    map = build_sequence (build, map, names[2], &n_convs);
  /* padding of half the kernel, output_padding of scale - 1 */
  return srgan_build_transposed_conv (
      build, map, names[3], scale, side / 2, NULL);
}

/* --- Networks on a picture that was enlarged before
 * -------------------------------- */

/* These are made for an enlarged picture: with --scale they enlarge it
 * themselves, as their authors do. */
static gint
start_after_bicubic (
    SrganBuild *build, const gchar *description, guint channels)
{
  guint scale = MAX (build->options->scale, 1);
  gint map = srgan_build_start_plain (build, description, scale, channels);

  if (scale > 1) {
    srgan_report_remark (build->report,
        "it takes an enlarged picture: a bicubic enlargement by %u was put "
        "before it",
        scale);
    map =
        srgan_build_resize (build, map, "bicubic", scale, SRGAN_FILTER_BICUBIC);
  } else {
    srgan_report_remark (build->report,
        "it takes a picture enlarged before; --scale puts a bicubic "
        "enlargement in front");
  }
  return map;
}

/* --- SRCNN (Dong et al. 2014)
 * ------------------------------------------------------- */

static const gchar *const srcnn_spellings[][3] = {
    {"conv1", "conv2", "conv3"},
    {"features.0", "map.0", "reconstruction"},
    {"layers.0", "layers.2", "layers.4"},
    {"0", "2", "4"},
};

static gint
find_srcnn (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (srcnn_spellings); i++) {
    const gchar *names[3];

    for (guint j = 0; j < 3; j++)
      names[j] = srgan_build_name (build, "%s.weight", srcnn_spellings[i][j]);
    if (is_conv (build, names[0]) && is_conv (build, names[1]) &&
        is_conv (build, names[2]) &&
        srgan_build_get_dimension (build, names[0], 2) == 9 &&
        srgan_build_get_dimension (build, names[0], 1) ==
            srgan_build_get_dimension (build, names[2], 0))
      return (gint) i;
  }
  return -1;
}

gboolean
srgan_match_srcnn (SrganBuild *build)
{
  return find_srcnn (build) >= 0 && !srgan_build_has (build, "conv4.weight") &&
         !srgan_build_has (build, "6.weight");
}

gint
srgan_build_srcnn (SrganBuild *build)
{
  gint spelling = find_srcnn (build), map;
  const gchar *const *names;
  guint sides[3];

  if (spelling < 0) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  names = srcnn_spellings[spelling];
  for (guint i = 0; i < 3; i++)
    sides[i] = srgan_build_get_dimension (
        build, srgan_build_name (build, "%s.weight", names[i]), 2);
  map = start_after_bicubic (build,
      srgan_build_name (build, "SRCNN %u-%u-%u", sides[0], sides[1], sides[2]),
      srgan_build_get_dimension (
          build, srgan_build_name (build, "%s.weight", names[0]), 1));
  for (guint i = 0; i < 3; i++)
    map = srgan_build_conv_with (build, map, names[i],
        i < 2 ? SRGAN_ACTIVATION_RELU : SRGAN_ACTIVATION_NONE, 0);
  return map;
}

/* --- VDSR (Kim et al. 2016)
 * ------------------------------------------------------- */

static const gchar *const vdsr_spellings[][3] = {
    {"input", "residual_layer.%u.conv", "output"},
    {"conv1.0", "trunk.%u.conv", "conv2"},
    {"conv1.0", "trunk.%u.conv.0", "conv2"},
};

/* @format with @number for its "%u". */
static const gchar *
name_number (SrganBuild *build, const gchar *format, guint number)
{
  g_auto (GStrv) parts = g_strsplit (format, "%u", 2);

  return srgan_build_name (
      build, "%s%u%s", parts[0], number, parts[1] != NULL ? parts[1] : "");
}

static gint
find_vdsr (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (vdsr_spellings); i++)
    if (is_conv (build,
            srgan_build_name (build, "%s.weight", vdsr_spellings[i][0])) &&
        is_conv (build, srgan_build_name (build, "%s.weight",
                            name_number (build, vdsr_spellings[i][1], 0))) &&
        is_conv (
            build, srgan_build_name (build, "%s.weight", vdsr_spellings[i][2])))
      return (gint) i;
  return -1;
}

gboolean
srgan_match_vdsr (SrganBuild *build)
{
  return find_vdsr (build) >= 0;
}

gint
srgan_build_vdsr (SrganBuild *build)
{
  gint spelling = find_vdsr (build), input, map;
  const gchar *const *names;
  guint n_middle;

  if (spelling < 0) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  names = vdsr_spellings[spelling];
  n_middle = srgan_build_count (
      build, srgan_build_name (build, "%s.weight", names[1]), 0);
  input = map = start_after_bicubic (build,
      srgan_build_name (build, "VDSR, %u convolutions", n_middle + 2),
      srgan_build_get_dimension (
          build, srgan_build_name (build, "%s.weight", names[0]), 1));
  map = srgan_build_conv_with (build, map, names[0], SRGAN_ACTIVATION_RELU, 0);
  for (guint i = 0; i < n_middle; i++)
    map = srgan_build_conv_with (
        build, map, name_number (build, names[1], i), SRGAN_ACTIVATION_RELU, 0);
  map = srgan_build_conv (build, map, names[2], NULL);
  return srgan_build_add (build, "sum", map, input);
}

/* --- DnCNN (Zhang et al. 2017)
 * ------------------------------------------------------ */

static const gchar *const dncnn_stems[] = {"model.", "dncnn.", ""};

/* The stem of its convolutions, N of them at any distance, or %NULL. */
static const gchar *
find_dncnn (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (dncnn_stems); i++) {
    const gchar *stem = dncnn_stems[i];
    const gchar *first = srgan_build_name (build, "%s0.weight", stem);
    guint end = get_end (build, stem);
    guint last = end;

    while (last > 0 && !is_conv (build, srgan_build_name (build, "%s%u.weight",
                                            stem, last - 1)))
      last--;
    if (last > 8 && is_conv (build, first) &&
        srgan_build_get_dimension (build, first, 2) == 3 &&
        srgan_build_get_dimension (build, first, 1) ==
            srgan_build_get_dimension (build,
                srgan_build_name (build, "%s%u.weight", stem, last - 1), 0) &&
        !srgan_build_has (build, "%s1.sub.0.RDB1.conv1.0.weight", stem))
      return stem;
  }
  return NULL;
}

gboolean
srgan_match_dncnn (SrganBuild *build)
{
  return find_dncnn (build) != NULL;
}

gint
srgan_build_dncnn (SrganBuild *build)
{
  const gchar *stem = find_dncnn (build);
  guint end = stem != NULL ? get_end (build, stem) : 0, last = 0, n_convs = 0;
  gint input, map, noise[2];

  if (stem == NULL) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  for (guint i = 0; i < end; i++)
    if (is_conv (build, srgan_build_name (build, "%s%u.weight", stem, i))) {
      last = i;
      n_convs++;
    }
  input = map = srgan_build_start_plain (build,
      srgan_build_name (build, "DnCNN, %u convolutions", n_convs), 1,
      srgan_build_get_dimension (
          build, srgan_build_name (build, "%s0.weight", stem), 1));
  for (guint i = 0; i <= last && build->error == NULL; i++) {
    const gchar *name = srgan_build_name (build, "%s%u", stem, i);
    SrganBuildHow how = {0};

    if (!is_conv (build, srgan_build_name (build, "%s.weight", name)))
      continue;
    if (i < last) {
      how.activation = SRGAN_ACTIVATION_RELU;
      if (srgan_build_has (build, "%s%u.running_mean", stem, i + 1))
        how.norm = srgan_build_name (build, "%s%u", stem, i + 1);
    } else {
      how.gain = -1.; /* it gives the noise, to be taken away */
    }
    map = srgan_build_conv (build, map, name, &how);
  }
  noise[0] = input;
  noise[1] = map;
  return srgan_build_join (build, SRGAN_OPERATION_ADD, "clean", noise, 2);
}

/* --- waifu2x (nagadomi): vgg7 and upconv_7
 * ----------------------------------------- */

static const gchar *
find_waifu2x (SrganBuild *build)
{
  static const gchar *const stems[] = {"net.", ""};

  for (guint i = 0; i < G_N_ELEMENTS (stems); i++) {
    gboolean all = get_end (build, stems[i]) == 13;

    for (guint j = 0; j < 13 && all; j++)
      all = is_conv (build, srgan_build_name (build, "%s%u.weight", stems[i],
                                j)) == (j % 2 == 0);
    if (all)
      return stems[i];
  }
  return NULL;
}

gboolean
srgan_match_waifu2x (SrganBuild *build)
{
  return find_waifu2x (build) != NULL;
}

gint
srgan_build_waifu2x (SrganBuild *build)
{
  const gchar *stem = find_waifu2x (build);
  const gchar *last, *first;
  gboolean enlarges;
  gint map;

  if (stem == NULL) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  first = srgan_build_name (build, "%s0.weight", stem);
  last = srgan_build_name (build, "%s12.weight", stem);
  enlarges = srgan_build_get_dimension (build, last, 2) == 4;
  map = srgan_build_start_plain (build,
      enlarges ? "waifu2x upconv_7" : "waifu2x vgg7", enlarges ? 2 : 1,
      srgan_build_get_dimension (build, first, 1));
  for (guint i = 0; i < 6; i++) {
    const SrganBuildHow how = {.activation = SRGAN_ACTIVATION_LEAKY_RELU,
        .low = .1f,
        .padding = SRGAN_PADDING_NONE};

    map = srgan_build_conv (
        build, map, srgan_build_name (build, "%s%u", stem, 2 * i), &how);
  }
  if (enlarges) {
    SrganLayer crop = {.name = (gchar *) "crop",
        .operation = SRGAN_OPERATION_CROP,
        .n_inputs = 1,
        .crop = 2};

    /* ConvTranspose2d (4, stride 2, padding 3) */
    map = srgan_build_transposed_conv (
        build, map, srgan_build_name (build, "%s12", stem), 2, 1, NULL);
    crop.inputs[0] = map;
    map = srgan_build_layer (build, &crop);
  } else {
    const SrganBuildHow how = {.padding = SRGAN_PADDING_NONE};

    map = srgan_build_conv (
        build, map, srgan_build_name (build, "%s12", stem), &how);
  }
  return map;
}

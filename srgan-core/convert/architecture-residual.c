/* convert: architectures of residual blocks.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"

#include <math.h>
#include <string.h>

/* Means of DIV2K's pictures, which EDSR and its kin take away. */
static const gdouble div2k_mean[] = {.4488, .4371, .4040};
/* ImageNet's, of torchvision's networks. */
static const gdouble imagenet_mean[] = {.485, .456, .406};
static const gdouble imagenet_deviation[] = {.229, .224, .225};

/* @format with @number, or @a and @b, for its "%u"s, of which it has at most
 * that many. */
static const gchar *
number (SrganBuild *build, const gchar *format, guint a, guint b, guint c)
{
  const guint numbers[] = {a, b, c};
  g_auto (GStrv) parts = g_strsplit (format, "%u", -1);
  g_autoptr (GString) name = g_string_new (parts[0]);

  for (guint i = 1; parts[i] != NULL && i <= 3; i++)
    g_string_append_printf (name, "%u%s", numbers[i - 1], parts[i]);
  return srgan_build_name (build, "%s", name->str);
}

static gboolean
has_weight (SrganBuild *build, const gchar *name)
{
  return name != NULL && srgan_build_has (build, "%s.weight", name);
}

static guint
get_out (SrganBuild *build, const gchar *name)
{
  return srgan_build_get_dimension (
      build, srgan_build_name (build, "%s.weight", name), 0);
}

static guint
get_in (SrganBuild *build, const gchar *name)
{
  return srgan_build_get_dimension (
      build, srgan_build_name (build, "%s.weight", name), 1);
}

/* --- RRDBNet (Wang et al. 2018, ESRGAN)
 * ------------------------------------------ */

/* The spellings: in a sequence by number, xinntao's later one, BasicSR's. */
typedef struct {
  const gchar *first;
  const gchar *dense; /* block, of it 1 .. 3, convolution 1 .. 5 */
  const gchar *plus;  /* ESRGAN+'s 1x1 convolution */
  const gchar *body;  /* with the number of blocks, where it is numbered */
  const gchar *up;    /* 1 or 2; %NULL: numbered from 3 on in steps of 3 */
  const gchar *hr;
  const gchar *last;
} RrdbSpelling;

static const RrdbSpelling rrdb_spellings[] = {
    {"model.0", "model.1.sub.%u.RDB%u.conv%u.0", "model.1.sub.%u.RDB%u.conv1x1",
        "model.1.sub.%u", NULL, NULL, NULL},
    {"conv_first", "RRDB_trunk.%u.RDB%u.conv%u", "RRDB_trunk.%u.RDB%u.conv1x1",
        "trunk_conv", "upconv%u", "HRconv", "conv_last"},
    {"conv_first", "body.%u.rdb%u.conv%u", "body.%u.rdb%u.conv1x1", "conv_body",
        "conv_up%u", "conv_hr", "conv_last"},
};

static const RrdbSpelling *
find_rrdb (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (rrdb_spellings); i++)
    if (has_weight (build, rrdb_spellings[i].first) &&
        has_weight (build, number (build, rrdb_spellings[i].dense, 0, 1, 1)))
      return &rrdb_spellings[i];
  return NULL;
}

gboolean
srgan_match_rrdbnet (SrganBuild *build)
{
  return find_rrdb (build) != NULL;
}

static gint
build_dense_block (SrganBuild *build, const RrdbSpelling *spelling, gint input,
    guint block, guint part)
{
  const gchar *plus = number (build, spelling->plus, block, part, 0);
  gboolean has_plus = has_weight (build, plus);
  gint maps[6] = {input};

  for (guint i = 1; i <= 5; i++) {
    const gchar *name = number (build, spelling->dense, block, part, i);
    SrganBuildHow how = {.activation = SRGAN_ACTIVATION_LEAKY_RELU, .low = .2f};
    gint map = maps[0];

    if (i > 1)
      map = srgan_build_join (build, SRGAN_OPERATION_CONCAT,
          srgan_build_name (build, "block%u_%u_cat%u", block, part, i), maps,
          i);
    if (i == 5) {
      how.activation = SRGAN_ACTIVATION_NONE;
      how.gain = .2;
    }
    maps[i] = srgan_build_conv (build, map, name, &how);
    if (has_plus && i == 2)
      maps[i] =
          srgan_build_add (build, srgan_build_name (build, "%s_plus", name),
              maps[i], srgan_build_conv (build, input, plus, NULL));
    if (has_plus && i == 4)
      maps[i] = srgan_build_add (
          build, srgan_build_name (build, "%s_plus", name), maps[i], maps[2]);
  }
  return srgan_build_add (build,
      srgan_build_name (build, "block%u_%u", block, part), maps[5], input);
}

gint
srgan_build_rrdbnet (SrganBuild *build)
{
  const SrganBuildHow leaky = {
      .activation = SRGAN_ACTIVATION_LEAKY_RELU, .low = .2f};
  const RrdbSpelling *spelling = find_rrdb (build);
  g_autoptr (GPtrArray) ups = g_ptr_array_new ();
  const gchar *hr, *last;
  guint n_blocks = 0, channels, folded, scale, factor = 2;
  gint input, map, trunk;

  if (spelling == NULL) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  while (has_weight (build, number (build, spelling->dense, n_blocks, 1, 1)))
    n_blocks++;
  hr = spelling->hr;
  last = spelling->last;
  if (spelling->up != NULL) {
    for (guint i = 1; has_weight (build, number (build, spelling->up, i, 0, 0));
         i++)
      g_ptr_array_add (ups, (gpointer) number (build, spelling->up, i, 0, 0));
  } else {
    /* all that follow model.1, of which the last two come after the
     * enlargements */
    for (guint i = 2; i < 32; i++)
      if (srgan_build_has (build, "model.%u.weight", i))
        g_ptr_array_add (
            ups, (gpointer) srgan_build_name (build, "model.%u", i));
    if (ups->len < 2) {
      srgan_build_fail (build, "the last convolutions, 'model.N', are missing");
      return 0;
    }
    last = g_ptr_array_index (ups, ups->len - 1);
    hr = g_ptr_array_index (ups, ups->len - 2);
    g_ptr_array_set_size (ups, (gint) ups->len - 2);
  }
  channels = get_out (build, last);
  folded = srgan_build_get_root (get_in (build, spelling->first), channels);
  if (ups->len == 1 && build->options->scale == 3)
    factor = 3; /* one enlargement by 3 looks like one by 2 */
  scale = ups->len > 4 ? 0 : (guint) pow (factor, ups->len);
  if (folded == 0 || scale % folded != 0) {
    srgan_build_fail (build,
        "tensor '%s%s.weight': %u channels are no multiple "
        "by a square of the %u that come out",
        build->prefix, spelling->first, get_in (build, spelling->first),
        channels);
    return 0;
  }
  scale /= folded;
  input = srgan_build_start_plain (build,
      srgan_build_name (build, "RRDBNet, %u channels, growth %u, %u blocks%s",
          get_out (build, spelling->first),
          get_out (build, number (build, spelling->dense, 0, 1, 1)), n_blocks,
          folded > 1 ? ", pixel unshuffle" : ""),
      scale, channels);
  if (folded > 1) {
    const SrganLayer unshuffle = {.name = (gchar *) "unshuffle",
        .operation = SRGAN_OPERATION_PIXEL_UNSHUFFLE,
        .n_inputs = 1,
        .inputs = {input},
        .factor = folded};

    input = srgan_build_layer (build, &unshuffle);
  }
  trunk = map = srgan_build_conv (build, input, spelling->first, NULL);
  for (guint i = 0; i < n_blocks && build->error == NULL; i++) {
    gint start = map;

    for (guint j = 1; j <= 3; j++)
      map = build_dense_block (build, spelling, map, i, j);
    map = srgan_build_scale (
        build, map, srgan_build_name (build, "block%u_part", i), .2, 0.);
    map = srgan_build_add (
        build, srgan_build_name (build, "block%u", i), map, start);
  }
  map = srgan_build_conv (
      build, map, number (build, spelling->body, n_blocks, 0, 0), NULL);
  map = srgan_build_add (build, "trunk", map, trunk);
  for (guint i = 0; i < ups->len; i++) {
    map = srgan_build_resize (build, map,
        srgan_build_name (build, "larger%u", i + 1), factor,
        SRGAN_FILTER_NEAREST);
    map = srgan_build_conv (build, map, g_ptr_array_index (ups, i), &leaky);
  }
  map = srgan_build_conv (build, map, hr, &leaky);
  return srgan_build_conv (build, map, last, NULL);
}

/* --- EDSR (Lim et al. 2017) and RCAN (Zhang et al. 2018)
 * -------------------------- */

/* The authors' spelling, whose values are 0 .. 255, and BasicSR's. */
typedef struct {
  const gchar *first;
  const gchar *conv1; /* of a block, or of a group and block */
  const gchar *conv2;
  const gchar *squeeze; /* RCAN's attention */
  const gchar *excite;
  const gchar *group; /* RCAN: the convolution behind a group's blocks */
  const gchar *body;  /* the one behind all, with their number */
  const gchar *up[2];
  const gchar *last;
  gboolean in_codes;
} EdsrSpelling;

static const EdsrSpelling edsr_spellings[] = {
    {"head.0", "body.%u.body.0", "body.%u.body.2", NULL, NULL, NULL, "body.%u",
        {"tail.0.0", "tail.0.2"}, "tail.1", TRUE},
    {"conv_first", "body.%u.conv1", "body.%u.conv2", NULL, NULL, NULL,
        "conv_after_body", {"upsample.0", "upsample.2"}, "conv_last", FALSE},
};

static const EdsrSpelling rcan_spellings[] = {
    {"head.0", "body.%u.body.%u.body.0", "body.%u.body.%u.body.2",
        "body.%u.body.%u.body.3.conv_du.0", "body.%u.body.%u.body.3.conv_du.2",
        "body.%u.body.%u", "body.%u", {"tail.0.0", "tail.0.2"}, "tail.1", TRUE},
    {"conv_first", "body.%u.residual_group.%u.rcab.0",
        "body.%u.residual_group.%u.rcab.2",
        "body.%u.residual_group.%u.rcab.3.attention.1",
        "body.%u.residual_group.%u.rcab.3.attention.3", "body.%u.conv",
        "conv_after_body", {"upsample.0", "upsample.2"}, "conv_last", FALSE},
};

static const EdsrSpelling *
find_edsr (SrganBuild *build, const EdsrSpelling *spellings, guint n)
{
  for (guint i = 0; i < n; i++)
    if (has_weight (build, spellings[i].first) &&
        has_weight (build, number (build, spellings[i].conv1, 0, 0, 0)) &&
        has_weight (build, spellings[i].up[0]) &&
        has_weight (build, spellings[i].last))
      return &spellings[i];
  return NULL;
}

gboolean
srgan_match_edsr (SrganBuild *build)
{
  return find_edsr (build, edsr_spellings, G_N_ELEMENTS (edsr_spellings)) !=
         NULL;
}

gboolean
srgan_match_rcan (SrganBuild *build)
{
  return find_edsr (build, rcan_spellings, G_N_ELEMENTS (rcan_spellings)) !=
         NULL;
}

/* The mean shift that is a 1x1 convolution, @name: picture code v becomes
 * v * scale + offset. Stays as it is where the file has none. */
static void
read_mean_shift (SrganBuild *build, const gchar *name, guint n, gdouble *scale,
    gdouble *offset)
{
  g_autofree gfloat *weight = NULL, *bias = NULL;

  if (!has_weight (build, name))
    return;
  weight = srgan_build_get_numbers (
      build, srgan_build_name (build, "%s.weight", name));
  bias = srgan_build_get_numbers (
      build, srgan_build_name (build, "%s.bias", name));
  if (weight == NULL || bias == NULL)
    return;
  if (get_out (build, name) != n || get_in (build, name) != n ||
      srgan_named_tensor_get_n (srgan_build_find (
          build, srgan_build_name (build, "%s.bias", name))) != n) {
    srgan_build_fail (build, "tensor '%s%s': is no shift of %u means",
        build->prefix, name, n);
    return;
  }
  for (guint i = 0; i < n; i++) {
    for (guint j = 0; j < n; j++)
      if (j != i && weight[i * n + j] != 0.f)
        srgan_build_fail (
            build, "tensor '%s%s.weight': mixes channels", build->prefix, name);
    scale[i] = weight[i * n + i];
    offset[i] = bias[i];
    if (!(fabs (scale[i]) > 1e-6))
      srgan_build_fail (
          build, "tensor '%s%s.weight': is zero", build->prefix, name);
  }
}

/* What the values of EDSR and RCAN are. */
static void
get_edsr_ends (SrganBuild *build, const EdsrSpelling *spelling, guint n,
    SrganEnd *input, SrganEnd *output)
{
  gdouble scale[3] = {1., 1., 1.}, offset[3];
  gdouble back[3] = {1., 1., 1.}, back_offset[3];

  srgan_end_init (input, 0., 255.);
  for (guint i = 0; i < 3; i++) {
    offset[i] = n == 3 ? -255. * div2k_mean[i] : 0.;
    back_offset[i] = -offset[i];
  }
  if (spelling->in_codes) {
    read_mean_shift (build, "sub_mean", n, scale, offset);
    read_mean_shift (build, "add_mean", n, back, back_offset);
  } else {
    srgan_build_ignore (build, "mean");
  }
  *output = *input;
  for (guint i = 0; i < n; i++) {
    input->scale[i] = 255. * scale[i];
    input->offset[i] = offset[i];
    /* the model's y is, in codes, y * back + back_offset */
    output->scale[i] = 255. / back[i];
    output->offset[i] = -back_offset[i] / back[i];
  }
}

/* The stages of enlargement by pixel shuffle, then the last convolution. */
static gint
build_upsampler (SrganBuild *build, gint map, const gchar *const *up,
    const gchar *last, guint width)
{
  for (guint i = 0; i < 2 && has_weight (build, up[i]); i++) {
    map = srgan_build_conv (build, map, up[i], NULL);
    map = srgan_build_shuffle (build, map,
        srgan_build_name (build, "shuffle%u", i + 1),
        srgan_build_get_root (get_out (build, up[i]), width));
  }
  return srgan_build_conv (build, map, last, NULL);
}

/* By how much build_upsampler() enlarges; 0: by nothing whole. */
static guint
get_upsampling (SrganBuild *build, const gchar *const *up, guint width)
{
  guint scale = 1;

  for (guint i = 0; i < 2 && has_weight (build, up[i]); i++)
    scale *= srgan_build_get_root (get_out (build, up[i]), width);
  if (scale == 0)
    srgan_build_fail (build,
        "tensor '%s%s.weight': %u channels are no multiple "
        "by a square of %u",
        build->prefix, up[0], get_out (build, up[0]), width);
  return scale;
}

gint
srgan_build_edsr (SrganBuild *build)
{
  const EdsrSpelling *spelling =
      find_edsr (build, edsr_spellings, G_N_ELEMENTS (edsr_spellings));
  guint n_blocks = 0, channels, width;
  SrganEnd input_end, output_end;
  const gchar *hint;
  gdouble gain;
  gint map, first;

  if (spelling == NULL) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  while (has_weight (build, number (build, spelling->conv1, n_blocks, 0, 0)))
    n_blocks++;
  channels = get_in (build, spelling->first);
  width = get_out (build, spelling->first);
  /* the authors' large networks scale their residuals */
  hint =
      srgan_build_get_hint (build, number (build,
                                       spelling->in_codes ? "body.%u.res_scale"
                                                          : "body.%u.res_"
                                                            "scale",
                                       0, 0, 0));
  gain = hint != NULL ? g_ascii_strtod (hint, NULL) : width >= 256 ? .1 : 1.;
  get_edsr_ends (build, spelling, channels, &input_end, &output_end);
  map = srgan_build_start (build,
      srgan_build_name (build, "EDSR, %u channels, %u blocks", width, n_blocks),
      get_upsampling (build, spelling->up, width), channels, &input_end);
  srgan_build_set_output (build, &output_end);
  if (hint == NULL && gain != 1.)
    srgan_report_remark (build->report,
        "residuals scaled by %g, as in the authors' networks of this width",
        gain);
  first = map = srgan_build_conv (build, map, spelling->first, NULL);
  for (guint i = 0; i < n_blocks; i++) {
    const SrganBuildHow scaled = {.gain = gain};
    gint inner = srgan_build_conv_with (build, map,
        number (build, spelling->conv1, i, 0, 0), SRGAN_ACTIVATION_RELU, 0);

    inner = srgan_build_conv (
        build, inner, number (build, spelling->conv2, i, 0, 0), &scaled);
    map = srgan_build_add (
        build, srgan_build_name (build, "block%u", i), inner, map);
  }
  map = srgan_build_conv (
      build, map, number (build, spelling->body, n_blocks, 0, 0), NULL);
  map = srgan_build_add (build, "trunk", map, first);
  return build_upsampler (build, map, spelling->up, spelling->last, width);
}

gint
srgan_build_rcan (SrganBuild *build)
{
  const EdsrSpelling *spelling =
      find_edsr (build, rcan_spellings, G_N_ELEMENTS (rcan_spellings));
  guint n_groups = 0, n_blocks = 0, channels, width;
  SrganEnd input_end, output_end;
  gint map, first;

  if (spelling == NULL) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  while (has_weight (build, number (build, spelling->conv1, n_groups, 0, 0)))
    n_groups++;
  while (has_weight (build, number (build, spelling->conv1, 0, n_blocks, 0)))
    n_blocks++;
  channels = get_in (build, spelling->first);
  width = get_out (build, spelling->first);
  get_edsr_ends (build, spelling, channels, &input_end, &output_end);
  map = srgan_build_start (build,
      srgan_build_name (build, "RCAN, %u channels, %u groups of %u blocks",
          width, n_groups, n_blocks),
      get_upsampling (build, spelling->up, width), channels, &input_end);
  srgan_build_set_output (build, &output_end);
  first = map = srgan_build_conv (build, map, spelling->first, NULL);
  for (guint i = 0; i < n_groups && build->error == NULL; i++) {
    gint group = map;

    for (guint j = 0; j < n_blocks && build->error == NULL; j++) {
      const gchar *name = srgan_build_name (build, "block%u_%u", i, j);
      gint inner = srgan_build_conv_with (build, map,
          number (build, spelling->conv1, i, j, 0), SRGAN_ACTIVATION_RELU, 0);

      inner = srgan_build_conv (
          build, inner, number (build, spelling->conv2, i, j, 0), NULL);
      inner = srgan_build_channel_attention (build, inner, name,
          number (build, spelling->squeeze, i, j, 0),
          number (build, spelling->excite, i, j, 0));
      map = srgan_build_add (build, name, inner, map);
    }
    map = srgan_build_conv (
        build, map, number (build, spelling->group, i, n_blocks, 0), NULL);
    map = srgan_build_add (
        build, srgan_build_name (build, "group%u", i), map, group);
  }
  map = srgan_build_conv (
      build, map, number (build, spelling->body, n_groups, 0, 0), NULL);
  map = srgan_build_add (build, "trunk", map, first);
  return build_upsampler (build, map, spelling->up, spelling->last, width);
}

/* --- MSRResNet (xinntao, BasicSR)
 * ---------------------------------------------------- */

static const struct {
  const gchar *conv1;
  const gchar *conv2;
  const gchar *up[2];
  const gchar *hr;
} msrresnet_spellings[] = {
    {"body.%u.conv1", "body.%u.conv2", {"upconv1", "upconv2"}, "conv_hr"},
    {"recon_trunk.%u.conv1", "recon_trunk.%u.conv2", {"upconv1", "upconv2"},
        "HRconv"},
    {"trunk_net.%u.conv1", "trunk_net.%u.conv2",
        {"upsample1.upsample_conv", "upsample2.upsample_conv"}, "conv_hr"},
};

static gint
find_msrresnet (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (msrresnet_spellings); i++)
    if (has_weight (build, "conv_first") && has_weight (build, "conv_last") &&
        has_weight (
            build, number (build, msrresnet_spellings[i].conv1, 0, 0, 0)) &&
        has_weight (build, msrresnet_spellings[i].up[0]) &&
        has_weight (build, msrresnet_spellings[i].hr))
      return (gint) i;
  return -1;
}

gboolean
srgan_match_msrresnet (SrganBuild *build)
{
  return find_msrresnet (build) >= 0;
}

gint
srgan_build_msrresnet (SrganBuild *build)
{
  const SrganBuildHow leaky = {
      .activation = SRGAN_ACTIVATION_LEAKY_RELU, .low = .1f};
  gint spelling = find_msrresnet (build), map, input;
  guint n_blocks = 0, width, scale;
  const gchar *const *up;

  if (spelling < 0) {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }
  while (has_weight (build,
      number (build, msrresnet_spellings[spelling].conv1, n_blocks, 0, 0)))
    n_blocks++;
  up = msrresnet_spellings[spelling].up;
  width = get_out (build, "conv_first");
  scale = get_upsampling (build, up, width);
  input = srgan_build_start_plain (build,
      srgan_build_name (
          build, "MSRResNet, %u channels, %u blocks", width, n_blocks),
      scale, get_in (build, "conv_first"));
  map = srgan_build_conv (build, input, "conv_first", &leaky);
  for (guint i = 0; i < n_blocks; i++) {
    gint inner = srgan_build_conv_with (build, map,
        number (build, msrresnet_spellings[spelling].conv1, i, 0, 0),
        SRGAN_ACTIVATION_RELU, 0);

    inner = srgan_build_conv (build, inner,
        number (build, msrresnet_spellings[spelling].conv2, i, 0, 0), NULL);
    map = srgan_build_add (
        build, srgan_build_name (build, "block%u", i), inner, map);
  }
  for (guint i = 0; i < 2 && has_weight (build, up[i]); i++) {
    map = srgan_build_conv (build, map, up[i], &leaky);
    map = srgan_build_shuffle (build, map,
        srgan_build_name (build, "shuffle%u", i + 1),
        srgan_build_get_root (get_out (build, up[i]), width));
  }
  map = srgan_build_conv (build, map, msrresnet_spellings[spelling].hr, &leaky);
  map = srgan_build_conv (build, map, "conv_last", NULL);
  return srgan_build_add (build, "sum", map,
      srgan_build_resize (build, input, "base", scale, SRGAN_FILTER_BILINEAR));
}

/* --- SRResNet (Ledig et al. 2017)
 * ------------------------------------------------------ */

typedef enum {
  VALUES_ONE,           /* 0 .. 1 */
  VALUES_ONE_CLIPPED,   /* clipped to it at the end */
  VALUES_ONE_BY_TANH,   /* (tanh + 1) / 2 */
  VALUES_IMAGENET_TANH, /* in as torchvision's networks, out -1 .. 1 by tanh */
  VALUES_IMAGENET,      /* both so, tanh at the end */
} SrresnetValues;

typedef struct {
  const gchar *maker;
  const gchar *first, *first_slope;
  const gchar *conv1, *norm1, *slope, *conv2, *norm2; /* of block number */
  const gchar *middle, *middle_norm;
  const gchar *up, *up_norm, *up_slope; /* of stage number times up_step */
  guint up_step;
  const gchar *last;
  SrresnetValues values;
  gdouble epsilon;
} SrresnetSpelling;

static const SrresnetSpelling srresnet_spellings[] = {
    {"sgrvinod", "conv_block1.conv_block.0", "conv_block1.conv_block.1.weight",
        "residual_blocks.%u.conv_block1.conv_block.0",
        "residual_blocks.%u.conv_block1.conv_block.1",
        "residual_blocks.%u.conv_block1.conv_block.2.weight",
        "residual_blocks.%u.conv_block2.conv_block.0",
        "residual_blocks.%u.conv_block2.conv_block.1",
        "conv_block2.conv_block.0", "conv_block2.conv_block.1",
        "subpixel_convolutional_blocks.%u.conv", NULL,
        "subpixel_convolutional_blocks.%u.prelu.weight", 1,
        "conv_block3.conv_block.0", VALUES_IMAGENET_TANH, 1e-5},
    {"Lornatang", "conv1.0", "conv1.1.weight", "trunk.%u.rcb.0",
        "trunk.%u.rcb.1", "trunk.%u.rcb.2.weight", "trunk.%u.rcb.3",
        "trunk.%u.rcb.4", "conv2.0", "conv2.1",
        "upsampling.%u.upsample_block.0", NULL,
        "upsampling.%u.upsample_block.2.weight", 1, "conv3", VALUES_ONE_CLIPPED,
        1e-5},
    {"Lornatang", "conv_block1.0", "conv_block1.1.weight",
        "trunk.%u.rc_block.0", "trunk.%u.rc_block.1",
        "trunk.%u.rc_block.2.weight", "trunk.%u.rc_block.3",
        "trunk.%u.rc_block.4", "conv_block2.0", "conv_block2.1",
        "upsampling.%u.upsample_block.0", NULL,
        "upsampling.%u.upsample_block.2.weight", 1, "conv_block3",
        VALUES_ONE_CLIPPED, 1e-5},
    {"PyTorch-GAN", "conv1.0", "conv1.1.weight", "res_blocks.%u.conv_block.0",
        "res_blocks.%u.conv_block.1", "res_blocks.%u.conv_block.2.weight",
        "res_blocks.%u.conv_block.3", "res_blocks.%u.conv_block.4", "conv2.0",
        "conv2.1", "upsampling.%u", "upsampling.%u+1", "upsampling.%u+3.weight",
        4, "conv3.0", VALUES_IMAGENET, .8},
};

static const SrresnetSpelling *
find_srresnet (SrganBuild *build)
{
  for (guint i = 0; i < G_N_ELEMENTS (srresnet_spellings); i++)
    if (has_weight (build, srresnet_spellings[i].first) &&
        has_weight (
            build, number (build, srresnet_spellings[i].conv1, 0, 0, 0)) &&
        has_weight (build, srresnet_spellings[i].last))
      return &srresnet_spellings[i];
  return NULL;
}

/* leftthomas's: block1 .. blockN, whose meaning their number gives. Returns N
 * or 0. */
static guint
count_numbered_blocks (SrganBuild *build)
{
  guint n = 1;

  if (!has_weight (build, "block1.0") || !has_weight (build, "block2.conv1"))
    return 0;
  while (srgan_build_has (build, "block%u.conv1.weight", n + 1))
    n++;
  /* the one in the middle and the enlargement */
  if (!srgan_build_has (build, "block%u.0.weight", n + 1) ||
      !srgan_build_has (build, "block%u.0.conv.weight", n + 2))
    return 0;
  return n + 2;
}

gboolean
srgan_match_srresnet (SrganBuild *build)
{
  return count_numbered_blocks (build) > 0 || find_srresnet (build) != NULL;
}

/* PReLU by the slopes @slope or, without, ReLU. */
static void
set_activation (SrganBuild *build, SrganBuildHow *how, const gchar *slope)
{
  if (slope != NULL && srgan_build_has (build, "%s", slope)) {
    how->activation = SRGAN_ACTIVATION_PRELU;
    how->slope = slope;
  } else {
    how->activation = SRGAN_ACTIVATION_RELU;
  }
}

static void
set_norm (
    SrganBuild *build, SrganBuildHow *how, const gchar *norm, gdouble epsilon)
{
  if (norm != NULL && srgan_build_has (build, "%s.running_mean", norm)) {
    how->norm = norm;
    how->epsilon = epsilon;
  }
}

/* "upsampling.%u+3.weight" of stage 4: "upsampling.7.weight". */
static const gchar *
number_plus (SrganBuild *build, const gchar *format, guint value)
{
  const gchar *plus = format != NULL ? strchr (format, '+') : NULL;
  g_autofree gchar *plain = NULL;

  if (format == NULL)
    return NULL;
  if (plus == NULL)
    return number (build, format, value, 0, 0);
  plain = g_strdup_printf ("%.*s%s", (gint) (plus - format), format, plus + 2);
  return number (build, plain, value + (guint) (plus[1] - '0'), 0, 0);
}

gint
srgan_build_srresnet (SrganBuild *build)
{
  guint n_numbered = count_numbered_blocks (build);
  const SrresnetSpelling *known = find_srresnet (build);
  SrresnetSpelling spelling;
  guint first_block = 0, n_blocks = 0, n_stages = 0, width, channels;
  guint scale = 1;
  SrganEnd input, output;
  SrganBuildHow how = {0};
  gint map, trunk;

  if (n_numbered > 0) {
    guint last = 0;

    spelling = (SrresnetSpelling){"leftthomas", "block1.0", "block1.1.weight",
        "block%u.conv1", "block%u.bn1", "block%u.prelu.weight", "block%u.conv2",
        "block%u.bn2", srgan_build_name (build, "block%u.0", n_numbered - 1),
        srgan_build_name (build, "block%u.1", n_numbered - 1),
        srgan_build_name (build, "block%u.%%u.conv", n_numbered), NULL,
        srgan_build_name (build, "block%u.%%u.prelu.weight", n_numbered), 1,
        NULL, VALUES_ONE_BY_TANH, 1e-5};
    while (srgan_build_has (build, "block%u.%u.conv.weight", n_numbered, last))
      last++;
    spelling.last = srgan_build_name (build, "block%u.%u", n_numbered, last);
    first_block = 2;
  } else if (known != NULL) {
    spelling = *known;
  } else {
    srgan_build_fail (build, "its convolutions have other names");
    return 0;
  }

  while (has_weight (
      build, number (build, spelling.conv1, first_block + n_blocks, 0, 0)))
    n_blocks++;
  width = get_out (build, spelling.first);
  channels = get_in (build, spelling.first);
  for (;; n_stages++) {
    const gchar *name =
        number (build, spelling.up, n_stages * spelling.up_step, 0, 0);
    guint factor;

    if (!has_weight (build, name))
      break;
    factor = srgan_build_get_root (get_out (build, name), width);
    if (factor < 2 || n_stages > 4) {
      srgan_build_fail (build,
          "tensor '%s%s.weight': %u channels are no "
          "multiple by a square of %u",
          build->prefix, name, get_out (build, name), width);
      return 0;
    }
    scale *= factor;
  }

  srgan_end_init (&input, 0., 1.);
  srgan_end_init (&output, 0., 1.);
  if (spelling.values >= VALUES_IMAGENET_TANH)
    for (guint i = 0; i < 3; i++) {
      input.scale[i] = 1. / imagenet_deviation[i];
      input.offset[i] = -imagenet_mean[i] / imagenet_deviation[i];
    }
  if (spelling.values == VALUES_IMAGENET)
    output = input;
  else if (spelling.values == VALUES_IMAGENET_TANH ||
           spelling.values == VALUES_ONE_BY_TANH)
    srgan_end_init (&output, -1., 1.);
  map = srgan_build_start (build,
      srgan_build_name (build, "SRResNet (%s), %u channels, %u blocks",
          spelling.maker, width, n_blocks),
      scale, channels, &input);
  srgan_build_set_output (build, &output);

  set_activation (build, &how, spelling.first_slope);
  trunk = map = srgan_build_conv (build, map, spelling.first, &how);
  for (guint i = 0; i < n_blocks && build->error == NULL; i++) {
    guint block = first_block + i;
    gint inner;

    how = (SrganBuildHow){0};
    set_activation (build, &how, number (build, spelling.slope, block, 0, 0));
    set_norm (build, &how, number (build, spelling.norm1, block, 0, 0),
        spelling.epsilon);
    inner = srgan_build_conv (
        build, map, number (build, spelling.conv1, block, 0, 0), &how);
    how = (SrganBuildHow){0};
    set_norm (build, &how, number (build, spelling.norm2, block, 0, 0),
        spelling.epsilon);
    inner = srgan_build_conv (
        build, inner, number (build, spelling.conv2, block, 0, 0), &how);
    map = srgan_build_add (
        build, srgan_build_name (build, "block%u", block), inner, map);
  }
  how = (SrganBuildHow){0};
  set_norm (build, &how, spelling.middle_norm, spelling.epsilon);
  /* leftthomas's early revision has an activation in the norm's place */
  if (how.norm == NULL && has_weight (build, spelling.middle_norm))
    set_activation (build, &how,
        srgan_build_name (build, "%s.weight", spelling.middle_norm));
  map = srgan_build_conv (build, map, spelling.middle, &how);
  map = srgan_build_add (build, "trunk", map, trunk);
  for (guint i = 0; i < n_stages && build->error == NULL; i++) {
    guint stage = i * spelling.up_step;
    const gchar *name = number (build, spelling.up, stage, 0, 0);

    how = (SrganBuildHow){0};
    /* PyTorch-GAN's other epsilon does not reach these */
    set_norm (build, &how, number_plus (build, spelling.up_norm, stage), 1e-5);
    set_activation (build, &how, number_plus (build, spelling.up_slope, stage));
    map = srgan_build_conv (build, map, name, &how);
    map = srgan_build_shuffle (build, map,
        srgan_build_name (build, "shuffle%u", i + 1),
        srgan_build_get_root (get_out (build, name), width));
  }
  how = (SrganBuildHow){0};
  how.high = 1.f;
  how.activation = spelling.values == VALUES_ONE ? SRGAN_ACTIVATION_NONE
                   : spelling.values == VALUES_ONE_CLIPPED
                       ? SRGAN_ACTIVATION_CLIP
                       : SRGAN_ACTIVATION_TANH;
  return srgan_build_conv (build, map, spelling.last, &how);
}

/* --- Fast-SRGAN (HasnainRaz, PyTorch)
 * -------------------------------------------------- */

gboolean
srgan_match_fast_srgan (SrganBuild *build)
{
  return has_weight (build, "neck.0") && has_weight (build, "stem.0.conv1") &&
         has_weight (build, "bottleneck.0") &&
         has_weight (build, "upsampling.0.conv") &&
         has_weight (build, "head.0");
}

gint
srgan_build_fast_srgan (SrganBuild *build)
{
  guint width = get_out (build, "neck.0");
  guint n_blocks = srgan_build_count (build, "stem.%u.conv1.weight", 0);
  guint n_stages = srgan_build_count (build, "upsampling.%u.conv.weight", 0);
  SrganBuildHow how = {0};
  guint scale = 1;
  SrganEnd end;
  gint map, trunk;

  for (guint i = 0; i < n_stages && i < 8; i++)
    scale *= srgan_build_get_root (
        get_out (build, number (build, "upsampling.%u.conv", i, 0, 0)), width);
  srgan_end_init (&end, -1., 1.);
  map = srgan_build_start (build,
      srgan_build_name (
          build, "Fast-SRGAN, %u channels, %u blocks", width, n_blocks),
      scale, get_in (build, "neck.0"), &end);
  set_activation (build, &how, "neck.1.weight");
  trunk = map = srgan_build_conv (build, map, "neck.0", &how);
  for (guint i = 0; i < n_blocks && build->error == NULL; i++) {
    gint inner = srgan_build_conv (
        build, map, number (build, "stem.%u.conv1", i, 0, 0), NULL);
    const gchar *slope = number (build, "stem.%u.relu1.weight", i, 0, 0);

    inner = srgan_build_instance_norm (build, inner,
        number (build, "stem.%u.bn1", i, 0, 0),
        srgan_build_has (build, "%s", slope) ? slope : NULL);
    inner = srgan_build_conv (
        build, inner, number (build, "stem.%u.conv2", i, 0, 0), NULL);
    inner = srgan_build_instance_norm (
        build, inner, number (build, "stem.%u.bn2", i, 0, 0), NULL);
    map = srgan_build_add (
        build, srgan_build_name (build, "block%u", i), inner, map);
  }
  map = srgan_build_conv (build, map, "bottleneck.0", NULL);
  map = srgan_build_instance_norm (build, map, "bottleneck.1", NULL);
  map = srgan_build_add (build, "trunk", map, trunk);
  for (guint i = 0; i < n_stages && build->error == NULL; i++) {
    const gchar *name = number (build, "upsampling.%u.conv", i, 0, 0);

    how = (SrganBuildHow){0};
    set_activation (
        build, &how, number (build, "upsampling.%u.relu.weight", i, 0, 0));
    map = srgan_build_conv (build, map, name, &how);
    map = srgan_build_shuffle (build, map,
        srgan_build_name (build, "shuffle%u", i + 1),
        srgan_build_get_root (get_out (build, name), width));
  }
  return srgan_build_conv_with (build, map, "head.0", SRGAN_ACTIVATION_TANH, 0);
}

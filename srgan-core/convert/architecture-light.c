/* convert: light architectures of distillation and attention.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/architecture.h"

#include <string.h>

static gboolean
has_weight (SrganBuild *build, const gchar *name)
{
  return srgan_build_has (build, "%s.weight", name);
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

/* By how much the pixel shuffle behind @up enlarges; its failure is said. */
static guint
get_scale (SrganBuild *build, const gchar *up, guint channels)
{
  guint scale = srgan_build_get_root (get_out (build, up), channels);

  if (scale == 0)
    srgan_build_fail (build,
        "tensor '%s%s.weight': %u channels are no multiple "
        "by a square of %u",
        build->prefix, up, get_out (build, up), channels);
  return scale;
}

/* --- Enhanced spatial attention (Liu et al. 2020, RFANet)
 * ------------------------------ */

/* Gates @map by a look at a sixth of its size. RFDN's has two convolutions that
 * RLFN's lacks. */
static gint
build_esa (SrganBuild *build, gint map, const gchar *name)
{
  const SrganBuildHow strided = {.stride = 2, .padding = SRGAN_PADDING_NONE};
  const gchar *between = srgan_build_name (build, "%s.conv_max", name);
  const gchar *conv3 = srgan_build_name (build, "%s.conv3", name);
  SrganLayer pool = {
      .name = (gchar *) srgan_build_name (build, "%s_pool", name),
      .operation = SRGAN_OPERATION_MAX_POOL,
      .n_inputs = 1,
      .kernel_width = 7,
      .kernel_height = 7,
      .stride = 3,
  };
  SrganLayer resize = {
      .name = (gchar *) srgan_build_name (build, "%s_resize", name),
      .operation = SRGAN_OPERATION_RESIZE,
      .n_inputs = 2,
      .filter = SRGAN_FILTER_BILINEAR,
  };
  gint first, low, gate;

  first = srgan_build_conv (
      build, map, srgan_build_name (build, "%s.conv1", name), NULL);
  low = srgan_build_conv (
      build, first, srgan_build_name (build, "%s.conv2", name), &strided);
  pool.inputs[0] = low;
  low = srgan_build_layer (build, &pool);
  if (has_weight (build, between)) {
    low = srgan_build_conv_with (build, low, between, SRGAN_ACTIVATION_RELU, 0);
    low = srgan_build_conv_with (build, low, conv3, SRGAN_ACTIVATION_RELU, 0);
    low = srgan_build_conv (
        build, low, srgan_build_name (build, "%s_", conv3), NULL);
  } else {
    low = srgan_build_conv (build, low, conv3, NULL);
  }
  resize.inputs[0] = low;
  resize.inputs[1] = first;
  low = srgan_build_layer (build, &resize);
  gate = srgan_build_conv (
      build, first, srgan_build_name (build, "%s.conv_f", name), NULL);
  gate = srgan_build_add (
      build, srgan_build_name (build, "%s_sum", name), low, gate);
  gate = srgan_build_conv_with (build, gate,
      srgan_build_name (build, "%s.conv4", name), SRGAN_ACTIVATION_SIGMOID, 0);
  return srgan_build_multiply (
      build, srgan_build_name (build, "%s_gated", name), map, gate);
}

/* --- RLFN (Kong et al. 2022)
 * ------------------------------------------------------------- */

gboolean
srgan_match_rlfn (SrganBuild *build)
{
  return has_weight (build, "conv_1") && has_weight (build, "block_1.c1_r") &&
         has_weight (build, "block_1.esa.conv1") &&
         has_weight (build, "upsampler.0");
}

gint
srgan_build_rlfn (SrganBuild *build)
{
  guint n_blocks = srgan_build_count (build, "block_%u.c1_r.weight", 1);
  guint channels = get_in (build, "conv_1");
  guint scale = get_scale (build, "upsampler.0", channels);
  SrganEnd end;
  gint map, first;

  srgan_end_init (&end, 0., 255.);
  map = srgan_build_start (build,
      srgan_build_name (build, "RLFN, %u channels, %u blocks",
          get_out (build, "conv_1"), n_blocks),
      scale, channels, &end);
  first = map = srgan_build_conv (build, map, "conv_1", NULL);
  for (guint i = 1; i <= n_blocks && build->error == NULL; i++) {
    gint inner = map;

    for (guint j = 1; srgan_build_has (build, "block_%u.c%u_r.weight", i, j);
         j++)
      inner = srgan_build_conv_with (build, inner,
          srgan_build_name (build, "block_%u.c%u_r", i, j),
          SRGAN_ACTIVATION_LEAKY_RELU, .05f);
    inner = srgan_build_add (
        build, srgan_build_name (build, "block_%u", i), inner, map);
    inner = srgan_build_conv (
        build, inner, srgan_build_name (build, "block_%u.c5", i), NULL);
    map = build_esa (build, inner, srgan_build_name (build, "block_%u.esa", i));
    /* the published networks carry what training needed along */
    srgan_build_ignore (
        build, srgan_build_name (build, "block_%u.esa.conv_max.*", i));
    srgan_build_ignore (
        build, srgan_build_name (build, "block_%u.esa.conv3_.*", i));
  }
  map = srgan_build_conv (build, map, "conv_2", NULL);
  map = srgan_build_add (build, "trunk", map, first);
  map = srgan_build_conv (build, map, "upsampler.0", NULL);
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

/* --- RFDN (Liu et al. 2020)
 * -------------------------------------------------------------- */

gboolean
srgan_match_rfdn (SrganBuild *build)
{
  return has_weight (build, "fea_conv") && has_weight (build, "B1.c1_d") &&
         has_weight (build, "LR_conv") && has_weight (build, "upsampler.0");
}

gint
srgan_build_rfdn (SrganBuild *build)
{
  const SrganBuildHow leaky = {
      .activation = SRGAN_ACTIVATION_LEAKY_RELU, .low = .05f};
  guint n_blocks = srgan_build_count (build, "B%u.c1_d.weight", 1);
  guint channels = get_in (build, "fea_conv");
  guint scale = get_scale (build, "upsampler.0", channels);
  gint maps[SRGAN_LAYER_MAX_INPUTS], map, first;

  n_blocks = MIN (n_blocks, SRGAN_LAYER_MAX_INPUTS);
  map = srgan_build_start_plain (build,
      srgan_build_name (build, "RFDN, %u channels, %u blocks",
          get_out (build, "fea_conv"), n_blocks),
      scale, channels);
  first = map = srgan_build_conv (build, map, "fea_conv", NULL);
  for (guint i = 1; i <= n_blocks && build->error == NULL; i++) {
    gint distilled[4], rest = map;

    for (guint j = 1; j <= 3; j++) {
      gint inner;

      distilled[j - 1] = srgan_build_conv (
          build, rest, srgan_build_name (build, "B%u.c%u_d", i, j), &leaky);
      inner = srgan_build_conv (
          build, rest, srgan_build_name (build, "B%u.c%u_r", i, j), NULL);
      rest = srgan_build_add (
          build, srgan_build_name (build, "B%u_sum%u", i, j), inner, rest);
      rest = srgan_build_activation (build, rest,
          srgan_build_name (build, "B%u_act%u", i, j),
          SRGAN_ACTIVATION_LEAKY_RELU, .05f, 0);
    }
    distilled[3] = srgan_build_conv (
        build, rest, srgan_build_name (build, "B%u.c4", i), &leaky);
    map = srgan_build_join (build, SRGAN_OPERATION_CONCAT,
        srgan_build_name (build, "B%u_cat", i), distilled, 4);
    map = srgan_build_conv (
        build, map, srgan_build_name (build, "B%u.c5", i), NULL);
    maps[i - 1] = map =
        build_esa (build, map, srgan_build_name (build, "B%u.esa", i));
  }
  map = srgan_build_join (build, SRGAN_OPERATION_CONCAT, "cat", maps, n_blocks);
  map = srgan_build_conv (build, map, "c.0", &leaky);
  map = srgan_build_conv (build, map, "LR_conv", NULL);
  map = srgan_build_add (build, "trunk", map, first);
  map = srgan_build_conv (build, map, "upsampler.0", NULL);
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

/* --- IMDN (Hui et al. 2019)
 * -------------------------------------------------------------- */

gboolean
srgan_match_imdn (SrganBuild *build)
{
  return (has_weight (build, "fea_conv") && has_weight (build, "IMDB1.c1") &&
             has_weight (build, "IMDB1.c5") && has_weight (build, "LR_conv") &&
             has_weight (build, "upsampler.0")) ||
         (has_weight (build, "model.0") &&
             has_weight (build, "model.1.sub.0.c1") &&
             has_weight (build, "model.1.sub.0.c5"));
}

static gint
slice (SrganBuild *build, gint map, const gchar *name, guint first, guint n)
{
  const SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_SLICE,
      .n_inputs = 1,
      .inputs = {map},
      .out_channels = n,
      .first = first,
  };

  return srgan_build_layer (build, &layer);
}

/* A block: three times a part of the channels is set aside. @name ends where
 * its convolutions' names begin: "IMDB1." */
static gint
build_imd_block (SrganBuild *build, gint input, const gchar *name)
{
  const SrganBuildHow leaky = {
      .activation = SRGAN_ACTIVATION_LEAKY_RELU, .low = .05f};
  guint n = get_out (build, srgan_build_name (build, "%sc4", name));
  gint parts[4], map = input;

  for (guint i = 1; i <= 3; i++) {
    guint all;

    map = srgan_build_conv (
        build, map, srgan_build_name (build, "%sc%u", name, i), &leaky);
    all = srgan_build_get_channels (build, map);
    if (build->error == NULL && n >= all)
      srgan_build_fail (build, "tensor '%s%sc4.weight': has too many channels",
          build->prefix, name);
    parts[i - 1] =
        slice (build, map, srgan_build_name (build, "%spart%u", name, i), 0, n);
    map = slice (
        build, map, srgan_build_name (build, "%srest%u", name, i), n, all - n);
  }
  parts[3] = srgan_build_conv (
      build, map, srgan_build_name (build, "%sc4", name), NULL);
  map = srgan_build_join (build, SRGAN_OPERATION_CONCAT,
      srgan_build_name (build, "%scat", name), parts, 4);
  if (srgan_build_has (build, "%scca.conv_du.0.weight", name))
    map = srgan_build_contrast_attention (build, map,
        srgan_build_name (build, "%scca", name),
        srgan_build_name (build, "%scca.conv_du.0", name),
        srgan_build_name (build, "%scca.conv_du.2", name));
  map = srgan_build_conv (
      build, map, srgan_build_name (build, "%sc5", name), NULL);
  return srgan_build_add (
      build, srgan_build_name (build, "%ssum", name), map, input);
}

/* The real-time kind, numbered in a sequence. */
static gint
build_imdn_rtc (SrganBuild *build)
{
  guint n_blocks = srgan_build_count (build, "model.1.sub.%u.c1.weight", 0);
  const gchar *last = srgan_build_name (build, "model.1.sub.%u", n_blocks);
  guint channels = get_in (build, "model.0");
  guint scale = get_scale (build, "model.2", channels);
  gint map, first;

  map = srgan_build_start_plain (build,
      srgan_build_name (build, "IMDN-RTC, %u channels, %u blocks",
          get_out (build, "model.0"), n_blocks),
      scale, channels);
  first = map = srgan_build_conv (build, map, "model.0", NULL);
  for (guint i = 0; i < n_blocks && build->error == NULL; i++)
    map = build_imd_block (
        build, map, srgan_build_name (build, "model.1.sub.%u.", i));
  map = srgan_build_conv (build, map, last, NULL);
  map = srgan_build_add (build, "trunk", map, first);
  map = srgan_build_conv (build, map, "model.2", NULL);
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

gint
srgan_build_imdn (SrganBuild *build)
{
  const SrganBuildHow leaky = {
      .activation = SRGAN_ACTIVATION_LEAKY_RELU, .low = .05f};
  guint n_blocks = srgan_build_count (build, "IMDB%u.c1.weight", 1);
  guint channels = get_in (build, "fea_conv"), scale;
  gint maps[SRGAN_LAYER_MAX_INPUTS], map, first;

  if (has_weight (build, "model.0"))
    return build_imdn_rtc (build);
  n_blocks = MIN (n_blocks, SRGAN_LAYER_MAX_INPUTS);
  scale = get_scale (build, "upsampler.0", channels);
  map = srgan_build_start_plain (build,
      srgan_build_name (build, "IMDN, %u channels, %u blocks",
          get_out (build, "fea_conv"), n_blocks),
      scale, channels);
  first = map = srgan_build_conv (build, map, "fea_conv", NULL);
  for (guint i = 1; i <= n_blocks && build->error == NULL; i++)
    maps[i - 1] = map =
        build_imd_block (build, map, srgan_build_name (build, "IMDB%u.", i));
  map = srgan_build_join (build, SRGAN_OPERATION_CONCAT, "cat", maps, n_blocks);
  map = srgan_build_conv (build, map, "c.0", &leaky);
  map = srgan_build_conv (build, map, "LR_conv", NULL);
  map = srgan_build_add (build, "trunk", map, first);
  map = srgan_build_conv (build, map, "upsampler.0", NULL);
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

/* --- SPAN (Wan et al. 2024)
 * ---------------------------------------------------------------- */

gboolean
srgan_match_span (SrganBuild *build)
{
  return (has_weight (build, "conv_1.eval_conv") ||
             has_weight (build, "conv_1.sk")) &&
         (has_weight (build, "block_1.c1_r.eval_conv") ||
             has_weight (build, "block_1.c1_r.sk")) &&
         has_weight (build, "conv_cat") && has_weight (build, "upsampler.0");
}

/* Multiplies the 1x1 matrices: [out][middle] by [middle][taps...]. */
static gfloat *
multiply (const gfloat *a, const gfloat *b, guint out, guint middle, gsize n)
{
  gfloat *product = g_new (gfloat, out * n);

  for (guint i = 0; i < out; i++)
    for (gsize j = 0; j < n; j++) {
      gdouble sum = 0.;

      for (guint k = 0; k < middle; k++)
        sum += (gdouble) a[(gsize) i * middle + k] * b[k * n + j];
      product[i * n + j] = (gfloat) sum;
    }
  return product;
}

/* A convolution of SPAN's: as it is used or, where the file has only what was
 * trained, 1x1, 3x3 and 1x1 in a row beside a 1x1, folded. What was folded at
 * the end of training is not always what a file's eval_conv holds: the parts
 * win. */
static gint
build_span_conv (
    SrganBuild *build, gint map, const gchar *name, const SrganBuildHow *how)
{
  const gchar *parts[] = {"conv.0", "conv.1", "conv.2", "sk"};
  const gchar *eval = srgan_build_name (build, "%s.eval_conv", name);
  gfloat *weights[4] = {NULL}, *biases[4] = {NULL};
  g_autofree gfloat *swapped = NULL, *two = NULL, *folded = NULL;
  gfloat *weight = NULL, *bias = NULL;
  guint out, in, first, second;
  gint index = 0;

  if (!srgan_build_has (build, "%s.sk.weight", name))
    return srgan_build_conv (build, map, eval, how);
  srgan_build_ignore (build, srgan_build_name (build, "%s.*", eval));
  for (guint i = 0; i < 4; i++) {
    weights[i] = srgan_build_get_numbers (
        build, srgan_build_name (build, "%s.%s.weight", name, parts[i]));
    biases[i] = srgan_build_get_numbers (
        build, srgan_build_name (build, "%s.%s.bias", name, parts[i]));
  }
  first = get_out (build, srgan_build_name (build, "%s.conv.0", name));
  in = get_in (build, srgan_build_name (build, "%s.conv.0", name));
  second = get_out (build, srgan_build_name (build, "%s.conv.1", name));
  out = get_out (build, srgan_build_name (build, "%s.conv.2", name));
  if (build->error == NULL) {
    const guint64 sizes[4] = {(guint64) first * in,
        (guint64) second * first * 9, (guint64) out * second,
        (guint64) out * in};
    const guint outs[4] = {first, second, out, out};

    for (guint i = 0; i < 4; i++)
      if (srgan_named_tensor_get_n (srgan_build_find (build,
              srgan_build_name (build, "%s.%s.weight", name, parts[i]))) !=
              sizes[i] ||
          srgan_named_tensor_get_n (srgan_build_find (
              build, srgan_build_name (build, "%s.%s.bias", name, parts[i]))) !=
              outs[i])
        srgan_build_fail (build,
            "tensor '%s%s.%s.weight': its shape does not fit the others",
            build->prefix, name, parts[i]);
  }
  if (build->error == NULL) {
    gfloat *b;

    /* [second][first][9] -> [second][9][first], to multiply by [first][in] */
    swapped = g_new (gfloat, (gsize) second * 9 * first);
    for (guint o = 0; o < second; o++)
      for (guint i = 0; i < first; i++)
        for (guint tap = 0; tap < 9; tap++)
          swapped[((gsize) o * 9 + tap) * first + i] =
              weights[1][((gsize) o * first + i) * 9 + tap];
    two = multiply (swapped, weights[0], second * 9, first, in);
    folded = multiply (weights[2], two, out, second, (gsize) 9 * in);
    weight = g_new (gfloat, (gsize) out * in * 9);
    for (guint o = 0; o < out; o++)
      for (guint i = 0; i < in; i++)
        for (guint tap = 0; tap < 9; tap++)
          weight[((gsize) o * in + i) * 9 + tap] =
              folded[((gsize) o * 9 + tap) * in + i] +
              (tap == 4 ? weights[3][(gsize) o * in + i] : 0.f);
    b = g_new (gfloat, second);
    for (guint o = 0; o < second; o++) {
      gdouble sum = biases[1][o];

      for (guint i = 0; i < first; i++)
        for (guint tap = 0; tap < 9; tap++)
          sum += (gdouble) weights[1][((gsize) o * first + i) * 9 + tap] *
                 biases[0][i];
      b[o] = (gfloat) sum;
    }
    bias = multiply (weights[2], b, out, second, 1);
    for (guint o = 0; o < out; o++)
      bias[o] += biases[2][o] + biases[3][o];
    g_free (b);
    index = srgan_build_conv_of (
        build, map, name, out, in, 3, 3, weight, bias, how);
  }
  for (guint i = 0; i < 4; i++) {
    g_free (weights[i]);
    g_free (biases[i]);
  }
  return index;
}

gint
srgan_build_span (SrganBuild *build)
{
  static const gdouble mean[] = {.4488, .4371, .4040};
  const SrganBuildHow silu = {.activation = SRGAN_ACTIVATION_SILU};
  guint n_blocks = 0, channels, scale, width;
  gint map, first, early = 0, late = 0, last, joined[4];
  gboolean as_trained = srgan_build_has (build, "conv_1.sk.weight");
  SrganEnd input, output;

  while (
      srgan_build_has (build, "block_%u.c1_r.eval_conv.weight", n_blocks + 1) ||
      srgan_build_has (build, "block_%u.c1_r.sk.weight", n_blocks + 1))
    n_blocks++;
  channels = get_in (build, as_trained ? "conv_1.sk" : "conv_1.eval_conv");
  width = get_out (build, as_trained ? "conv_1.sk" : "conv_1.eval_conv");
  scale = get_scale (build, "upsampler.0", channels);
  srgan_end_init (&input, 0., 1.);
  output = input;
  /* a file of a network without the shift of means says so in a tensor */
  if (!srgan_build_has (build, "no_norm"))
    for (guint i = 0; i < 3; i++) {
      input.scale[i] = 255.;
      input.offset[i] = -255. * mean[i];
    }
  srgan_build_ignore (build, "no_norm");
  map = srgan_build_start (build,
      srgan_build_name (build, "SPAN, %u channels, %u blocks", width, n_blocks),
      scale, channels, &input);
  srgan_build_set_output (build, &output);
  first = map = build_span_conv (build, map, "conv_1", NULL);
  for (guint i = 1; i <= n_blocks && build->error == NULL; i++) {
    gint inner, gate;

    inner = build_span_conv (
        build, map, srgan_build_name (build, "block_%u.c1_r", i), &silu);
    /* the last block's first map is used again: after its activation, which
     * works in place */
    late = inner;
    inner = build_span_conv (
        build, inner, srgan_build_name (build, "block_%u.c2_r", i), &silu);
    inner = build_span_conv (
        build, inner, srgan_build_name (build, "block_%u.c3_r", i), NULL);
    gate = srgan_build_activation (build, inner,
        srgan_build_name (build, "block_%u_sigmoid", i),
        SRGAN_ACTIVATION_SIGMOID, 0, 0);
    gate = srgan_build_scale (
        build, gate, srgan_build_name (build, "block_%u_gate", i), 1., -.5);
    map = srgan_build_add (
        build, srgan_build_name (build, "block_%u_sum", i), inner, map);
    map = srgan_build_multiply (
        build, srgan_build_name (build, "block_%u", i), map, gate);
    if (i == 1)
      early = map;
  }
  last = build_span_conv (build, map, "conv_2", NULL);
  joined[0] = first;
  joined[1] = last;
  joined[2] = early;
  joined[3] = late;
  map = srgan_build_join (build, SRGAN_OPERATION_CONCAT, "cat", joined, 4);
  map = srgan_build_conv (build, map, "conv_cat", NULL);
  map = srgan_build_conv (build, map, "upsampler.0", NULL);
  if (as_trained)
    srgan_report_remark (
        build->report, "each convolution's four parts folded into one");
  return srgan_build_shuffle (build, map, "shuffle", scale);
}

/* convert: what the functions that build architectures have in common.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/build.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A name for the network: the file's. */
static gchar *
make_name (const gchar *file_name)
{
  g_autofree gchar *base =
      file_name != NULL ? g_path_get_basename (file_name) : g_strdup ("model");
  gchar *dot = strrchr (base, '.');
  gchar *name;

  if (dot != NULL && dot != base)
    *dot = '\0';
  name = g_utf8_make_valid (base, -1);
  if (strlen (name) > 100)
    *g_utf8_find_prev_char (name, name + 101) = '\0';
  for (gchar *letter = name; *letter != '\0'; letter++)
    if (g_ascii_iscntrl (*letter))
      *letter = '-';
  return name;
}

SrganBuild *
srgan_build_new (SrganTensorSet *set, const gchar *file_name,
    const SrganConvertOptions *options, SrganConvertReport *report)
{
  SrganBuild *build = g_new0 (SrganBuild, 1);

  build->set = set;
  build->prefix = "";
  build->file_name = file_name;
  build->name = make_name (file_name);
  build->options = options;
  build->report = report;
  build->names = g_string_chunk_new (4096);
  build->ignored = g_ptr_array_new_with_free_func (g_free);
  return build;
}

void
srgan_build_free (SrganBuild *build)
{
  if (build->network != NULL)
    srgan_network_unref (build->network);
  g_clear_error (&build->error);
  g_ptr_array_unref (build->ignored);
  g_string_chunk_free (build->names);
  g_free (build->name);
  g_free (build);
}

SrganNetwork *
srgan_build_finish (SrganBuild *build, gint last, GError **error)
{
  if (build->error == NULL)
    srgan_end_add_output (build->network, &build->output, &last, &build->error);
  if (build->error == NULL)
    srgan_reader_finish (build->network, build->report, &build->error);
  if (build->error != NULL) {
    /* what is wrong to say to the library is, in a file, a broken file */
    if (g_error_matches (build->error, SRGAN_ERROR, SRGAN_ERROR_INVALID))
      build->error->code = SRGAN_ERROR_CORRUPT;
    g_propagate_error (error, g_steal_pointer (&build->error));
    return NULL;
  }
  if (build->n_norms > 0)
    srgan_report_remark (build->report,
        "folded %u batch norms into the convolutions before them",
        build->n_norms);
  return g_steal_pointer (&build->network);
}

const gchar *
srgan_build_name (SrganBuild *build, const gchar *format, ...)
{
  g_autofree gchar *name = NULL;
  va_list arguments;

  va_start (arguments, format);
  name = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return g_string_chunk_insert_const (build->names, name);
}

/* --- Asking the tensors --------------------------------------------------- */

SrganNamedTensor *
srgan_build_find (SrganBuild *build, const gchar *name)
{
  return srgan_tensor_set_findf (build->set, "%s%s", build->prefix, name);
}

gboolean
srgan_build_has (SrganBuild *build, const gchar *format, ...)
{
  g_autofree gchar *name = NULL;
  va_list arguments;

  va_start (arguments, format);
  name = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  return srgan_build_find (build, name) != NULL;
}

guint
srgan_build_get_dimension (SrganBuild *build, const gchar *name, guint index)
{
  SrganNamedTensor *tensor = srgan_build_find (build, name);

  if (tensor == NULL || index >= tensor->n_dimensions)
    return 0;
  return (guint) MIN (tensor->dimensions[index], G_MAXINT);
}

guint
srgan_build_count (SrganBuild *build, const gchar *format, guint first)
{
  g_auto (GStrv) parts = g_strsplit (format, "%u", 2);
  guint n = 0;

  while (srgan_build_has (
      build, "%s%u%s", parts[0], first + n, parts[1] != NULL ? parts[1] : ""))
    n++;
  return n;
}

guint
srgan_build_get_root (guint n, guint channels)
{
  for (guint s = 1; s <= 8; s++)
    if (n == channels * s * s)
      return s;
  return 0;
}

const gchar *
srgan_build_get_hint (SrganBuild *build, const gchar *name)
{
  return g_hash_table_lookup (build->set->hints, name);
}

/* A digit 1 to 4 with an 'x' before or after it and no letter or digit around
 * them. */
static guint
find_scale_in_name (const gchar *path)
{
  g_autofree gchar *name = g_path_get_basename (path);

  for (gsize i = 0; name[i] != '\0'; i++) {
    gboolean before = name[i] == 'x' || name[i] == 'X';
    gchar digit = before ? name[i + 1] : name[i];
    gchar after;

    if (!before && !(g_ascii_isdigit (name[i]) &&
                       (name[i + 1] == 'x' || name[i + 1] == 'X')))
      continue;
    if (digit < '1' || digit > '4')
      continue;
    after = name[i + 2];
    if ((i > 0 && g_ascii_isalnum (name[i - 1])) || g_ascii_isdigit (after) ||
        (before && g_ascii_isalpha (after)))
      continue;
    return (guint) (digit - '0');
  }
  return 0;
}

guint
srgan_build_guess_scale (SrganBuild *build)
{
  static const gchar *const hints[] = {
      "upscale", "scale", "upscale_factor", "scale_factor"};
  guint scale = build->options->scale;

  if (scale != 0)
    return scale;
  for (guint i = 0; i < G_N_ELEMENTS (hints) && scale == 0; i++) {
    const gchar *hint = srgan_build_get_hint (build, hints[i]);

    if (hint != NULL)
      scale = (guint) MIN (strtoul (hint, NULL, 10), 100);
    if (scale < 1 || scale > 4)
      scale = 0;
  }
  if (scale == 0 && build->file_name != NULL) {
    scale = find_scale_in_name (build->file_name);
    if (scale != 0)
      srgan_report_remark (build->report,
          "its weights do not tell the scale: %u, as the file's name says",
          scale);
  }
  if (scale == 0)
    srgan_build_fail (build,
        "its weights do not tell by how much it enlarges; say so with --scale");
  return scale;
}

/* --- Building ------------------------------------------------------------- */

void
srgan_build_fail (SrganBuild *build, const gchar *format, ...)
{
  va_list arguments;

  if (build->error != NULL)
    return;
  va_start (arguments, format);
  build->error = g_error_new_valist (
      SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED, format, arguments);
  va_end (arguments);
}

void
srgan_build_ignore (SrganBuild *build, const gchar *pattern)
{
  g_ptr_array_add (build->ignored, g_strconcat (build->prefix, pattern, NULL));
}

static gchar *
describe_range (const SrganEnd *end)
{
  gdouble white = end->scale[0] + end->offset[0];

  if (end->offset[0] != end->offset[1] || end->scale[0] != end->scale[1])
    return g_strdup_printf ("%s, less a mean for each channel",
        end->scale[0] > 100. ? "0-255" : "0-1");
  return g_strdup_printf ("%g-%g", end->offset[0], white);
}

/* @end as the options want it. */
static SrganEnd
apply_options (const SrganConvertOptions *options, const SrganEnd *end)
{
  gboolean is_code = fabs (end->scale[0]) > 100.;
  SrganEnd applied = *end;

  for (guint i = 0; i < 3; i++)
    if (options->range == SRGAN_RANGE_CODE && !is_code) {
      applied.scale[i] *= 255.;
      applied.offset[i] *= 255.;
    } else if (options->range == SRGAN_RANGE_ONE && is_code) {
      applied.scale[i] /= 255.;
      applied.offset[i] /= 255.;
    }
  if (options->order == SRGAN_ORDER_BGR)
    applied.swapped = TRUE;
  return applied;
}

gint
srgan_build_start (SrganBuild *build, const gchar *description, guint scale,
    guint n_channels, const SrganEnd *end)
{
  gint index = SRGAN_INPUT_NETWORK;
  SrganEnd input;

  g_free (build->report->architecture);
  build->report->architecture = g_strdup (description);
  if (build->error != NULL)
    return index;
  if (n_channels != 1 && n_channels != 3) {
    srgan_build_fail (build,
        "takes %u channels; 1 (luma) or 3 (RGB) can be played", n_channels);
    return index;
  }
  if (build->options->order == SRGAN_ORDER_Y && n_channels != 1) {
    srgan_build_fail (build, "--colour y: the model takes 3 channels");
    return index;
  }
  input = apply_options (build->options, end);
  /* a graph may have been tried before */
  g_free (build->report->range);
  g_free (build->report->order);
  build->report->range = describe_range (&input);
  build->report->order = g_strdup (n_channels == 1 ? "y"
                                   : input.swapped ? "bgr"
                                                   : "rgb");
  build->n_channels = n_channels;
  build->output = input;
  build->network = srgan_network_new (
      build->name, n_channels == 1 ? SRGAN_COLOUR_Y : SRGAN_COLOUR_RGB, scale);
  srgan_end_add_input (build->network, &input, &index, &build->error);
  return index;
}

void
srgan_build_set_output (SrganBuild *build, const SrganEnd *end)
{
  g_autofree gchar *input = build->report->range;
  g_autofree gchar *output = NULL;

  if (build->error != NULL)
    return;
  build->output = apply_options (build->options, end);
  output = describe_range (&build->output);
  build->report->range = g_str_equal (input, output)
                             ? g_strdup (input)
                             : g_strdup_printf ("%s to %s", input, output);
}

gint
srgan_build_start_plain (
    SrganBuild *build, const gchar *description, guint scale, guint n_channels)
{
  SrganEnd end;

  srgan_end_init (&end, 0., 1.);
  return srgan_build_start (build, description, scale, n_channels, &end);
}

gfloat *
srgan_build_get_numbers (SrganBuild *build, const gchar *name)
{
  SrganNamedTensor *tensor = srgan_build_find (build, name);

  if (build->error != NULL)
    return NULL;
  if (tensor == NULL) {
    srgan_build_fail (build, "tensor '%s%s': is missing", build->prefix, name);
    return NULL;
  }
  return srgan_named_tensor_get_floats (tensor, &build->error);
}

/* The same of a tensor that must hold @n numbers. */
static gfloat *
get_vector (SrganBuild *build, const gchar *name, guint n)
{
  SrganNamedTensor *tensor = srgan_build_find (build, name);

  if (tensor != NULL && srgan_named_tensor_get_n (tensor) != n) {
    srgan_build_fail (build,
        "tensor '%s%s': holds %" G_GUINT64_FORMAT
        " numbers where %u are needed",
        build->prefix, name, srgan_named_tensor_get_n (tensor), n);
    return NULL;
  }
  return srgan_build_get_numbers (build, name);
}

gint
srgan_build_layer (SrganBuild *build, const SrganLayer *layer)
{
  SrganLayer named = *layer;
  /* which stands for the network's own */
  g_autofree gchar *name =
      g_strdup (g_str_equal (layer->name, "input") ? "input_" : layer->name);
  gint index;

  if (build->error != NULL)
    return 0;
  for (gchar *letter = name; *letter != '\0'; letter++)
    if (!g_ascii_isalnum (*letter) && *letter != '_')
      *letter = '-';
  named.name = name;
  index = srgan_network_add_layer (build->network, &named, &build->error);
  return MAX (index, 0);
}

guint
srgan_build_get_channels (SrganBuild *build, gint index)
{
  if (build->error != NULL || build->network == NULL)
    return 0;
  if (index == SRGAN_INPUT_NETWORK)
    return build->n_channels;
  return srgan_network_get_layer (build->network, (guint) index)->out_channels;
}

/* Multiplies output channel o of [out][each] by @factor[o]. */
static void
scale_rows (gfloat *weight, guint out, gsize n_each, const gdouble *factor)
{
  for (guint i = 0; i < out; i++)
    for (gsize j = 0; j < n_each; j++)
      weight[i * n_each + j] = (gfloat) (weight[i * n_each + j] * factor[i]);
}

/* Folds how->norm and how->gain in; makes a bias where one is needed. */
static void
fold (SrganBuild *build, const SrganBuildHow *how, guint out, gsize n_each,
    gfloat *weight, gfloat **bias)
{
  g_autofree gdouble *factor = g_new (gdouble, out);
  gdouble gain = how->gain != 0. ? how->gain : 1.;

  if (how->norm != NULL) {
    static const gchar *const parts[] = {
        "weight", "bias", "running_mean", "running_var"};
    gdouble epsilon = how->epsilon != 0. ? how->epsilon : 1e-5;
    gfloat *numbers[4] = {NULL};

    for (guint i = 0; i < 4; i++) {
      const gchar *name =
          srgan_build_name (build, "%s.%s", how->norm, parts[i]);

      /* a norm that is not affine has only the last two */
      if (i < 2 && !srgan_build_has (build, "%s", name))
        continue;
      numbers[i] = get_vector (build, name, out);
    }
    if (build->error == NULL) {
      if (*bias == NULL)
        *bias = g_new0 (gfloat, out);
      for (guint i = 0; i < out; i++) {
        if (!(numbers[3][i] + epsilon > 0.)) {
          srgan_build_fail (build, "tensor '%s%s.running_var': is negative",
              build->prefix, how->norm);
          break;
        }
        factor[i] = (numbers[0] != NULL ? numbers[0][i] : 1.) /
                    sqrt (numbers[3][i] + epsilon);
        (*bias)[i] = (gfloat) (((*bias)[i] - numbers[2][i]) * factor[i] +
                               (numbers[1] != NULL ? numbers[1][i] : 0.));
      }
      if (build->error == NULL)
        scale_rows (weight, out, n_each, factor);
      build->n_norms++;
    }
    for (guint i = 0; i < 4; i++)
      g_free (numbers[i]);
  }
  if (gain != 1. && build->error == NULL) {
    for (guint i = 0; i < out; i++) {
      factor[i] = gain;
      if (*bias != NULL)
        (*bias)[i] = (gfloat) ((*bias)[i] * gain);
    }
    scale_rows (weight, out, n_each, factor);
  }
}

/* The slopes of @out channels; see SrganBuildHow. */
static gfloat *
get_slopes (SrganBuild *build, const gchar *name, guint out)
{
  SrganNamedTensor *tensor = srgan_build_find (build, name);
  guint64 n = tensor != NULL ? srgan_named_tensor_get_n (tensor) : 0;
  g_autofree gfloat *given = srgan_build_get_numbers (build, name);
  gfloat *slopes;

  if (given == NULL)
    return NULL;
  if (n == 0 || out % n != 0) {
    srgan_build_fail (build,
        "tensor '%s%s': holds %" G_GUINT64_FORMAT " slopes for %u channels",
        build->prefix, name, n, out);
    return NULL;
  }
  slopes = g_new (gfloat, out);
  for (guint i = 0; i < out; i++)
    slopes[i] = given[i / (out / n)];
  return slopes;
}

/* Adds @layer, a convolution of either kind, with what @how says. */
static gint
add_conv (SrganBuild *build, SrganLayer *layer, const SrganBuildHow *how)
{
  g_autofree gfloat *slopes = NULL;

  layer->activation = how->activation;
  layer->activation_low = how->low;
  layer->activation_high = how->high;
  if (how->slopes != NULL)
    layer->slope = how->slopes;
  else if (how->activation == SRGAN_ACTIVATION_PRELU)
    layer->slope = slopes = get_slopes (build, how->slope, layer->out_channels);
  return srgan_build_layer (build, layer);
}

gint
srgan_build_conv_of (SrganBuild *build, gint input, const gchar *name,
    guint out, guint in, guint height, guint width, gfloat *weight,
    gfloat *bias, const SrganBuildHow *how)
{
  static const SrganBuildHow plain;
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out,
      .kernel_width = width,
      .kernel_height = height,
  };
  gint index = 0;

  if (how == NULL)
    how = &plain;
  if (build->error == NULL) {
    guint groups = MAX (how->groups, 1);

    layer.stride = how->stride;
    layer.groups = how->groups;
    layer.padding = how->padding;
    /* what the layer's shape will be checked against must be what there is */
    if ((guint64) in * groups != srgan_build_get_channels (build, input))
      srgan_build_fail (build,
          "tensor '%s%s.weight': takes %u channels where %u come in",
          build->prefix, name, in * groups,
          srgan_build_get_channels (build, input));
    else
      fold (build, how, out, (gsize) in * height * width, weight, &bias);
    layer.weight = weight;
    layer.bias = bias;
    index = add_conv (build, &layer, how);
  }
  g_free (weight);
  g_free (bias);
  return index;
}

gint
srgan_build_conv (
    SrganBuild *build, gint input, const gchar *name, const SrganBuildHow *how)
{
  const gchar *weight_name = srgan_build_name (build, "%s.weight", name);
  const gchar *bias_name = srgan_build_name (build, "%s.bias", name);
  SrganNamedTensor *tensor = srgan_build_find (build, weight_name);
  gfloat *weight, *bias = NULL;
  guint out;

  if (build->error != NULL)
    return 0;
  if (tensor == NULL || tensor->n_dimensions != 4) {
    srgan_build_fail (build, "tensor '%s%s': %s", build->prefix, weight_name,
        tensor == NULL ? "is missing" : "is not a convolution's");
    return 0;
  }
  out = srgan_build_get_dimension (build, weight_name, 0);
  weight = srgan_build_get_numbers (build, weight_name);
  if (srgan_build_has (build, "%s", bias_name))
    bias = get_vector (build, bias_name, out);
  return srgan_build_conv_of (build, input, name, out,
      srgan_build_get_dimension (build, weight_name, 1),
      srgan_build_get_dimension (build, weight_name, 2),
      srgan_build_get_dimension (build, weight_name, 3), weight, bias, how);
}

gint
srgan_build_conv_with (SrganBuild *build, gint input, const gchar *name,
    SrganActivation activation, gfloat low)
{
  const SrganBuildHow how = {.activation = activation, .low = low};

  return srgan_build_conv (build, input, name, &how);
}

gint
srgan_build_transposed_conv (SrganBuild *build, gint input, const gchar *name,
    guint stride, guint cut, const SrganBuildHow *how)
{
  static const SrganBuildHow plain;
  const gchar *weight_name = srgan_build_name (build, "%s.weight", name);
  const gchar *bias_name = srgan_build_name (build, "%s.bias", name);
  SrganNamedTensor *tensor = srgan_build_find (build, weight_name);
  guint in = srgan_build_get_dimension (build, weight_name, 0);
  guint out = srgan_build_get_dimension (build, weight_name, 1);
  guint side = srgan_build_get_dimension (build, weight_name, 2);
  g_autofree gfloat *given = NULL;
  g_autofree gfloat *weight = NULL;
  g_autofree gfloat *bias = NULL;
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_TRANSPOSED_CONV,
      .n_inputs = 1,
      .inputs = {input},
      .out_channels = out,
      .stride = stride,
  };
  guint wide, shift = 0;

  if (build->error != NULL)
    return 0;
  if (tensor == NULL || tensor->n_dimensions != 4 ||
      srgan_build_get_dimension (build, weight_name, 3) != side ||
      side < stride || cut > side - stride) {
    srgan_build_fail (build, "tensor '%s%s': %s", build->prefix, weight_name,
        tensor == NULL ? "is missing"
                       : "is not a transposed convolution's of this stride");
    return 0;
  }
  if (in != srgan_build_get_channels (build, input)) {
    srgan_build_fail (build,
        "tensor '%s%s': takes %u channels where %u come in", build->prefix,
        weight_name, in, srgan_build_get_channels (build, input));
    return 0;
  }
  given = srgan_build_get_numbers (build, weight_name);
  if (srgan_build_has (build, "%s", bias_name))
    bias = get_vector (build, bias_name, out);
  if (given == NULL)
    return 0;

  /* Ours cuts half of the surplus, rounded up, at the left: zeros at the other
   * side make any cut of it. */
  wide = side;
  if (cut > (side - stride + 1) / 2) {
    wide = stride + 2 * cut - 1; /* zeros at the right */
  } else if (cut < (side - stride + 1) / 2) {
    /* zeros at the left, as many as the right's cut then is more */
    shift = (side - stride) - 2 * cut;
    wide = side + shift;
  }
  weight = g_new0 (gfloat, (gsize) in * out * wide * wide);
  for (gsize i = 0; i < (gsize) in * out; i++)
    for (guint y = 0; y < side; y++)
      memcpy (weight + (i * wide + y + shift) * wide + shift,
          given + (i * side + y) * side, side * sizeof *weight);
  layer.kernel_width = layer.kernel_height = wide;
  layer.weight = weight;
  layer.bias = bias;
  return add_conv (build, &layer, how != NULL ? how : &plain);
}

gint
srgan_build_scale (SrganBuild *build, gint input, const gchar *name,
    gdouble gain, gdouble offset)
{
  guint n = srgan_build_get_channels (build, input);
  gfloat *weight = g_new (gfloat, MAX (n, 1));
  gfloat *bias = offset != 0. ? g_new (gfloat, MAX (n, 1)) : NULL;
  const SrganBuildHow how = {.groups = n};

  for (guint i = 0; i < n; i++) {
    weight[i] = (gfloat) gain;
    if (bias != NULL)
      bias[i] = (gfloat) offset;
  }
  return srgan_build_conv_of (
      build, input, name, n, 1, 1, 1, weight, bias, &how);
}

gint
srgan_build_shuffle (
    SrganBuild *build, gint input, const gchar *name, guint factor)
{
  const SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_PIXEL_SHUFFLE,
      .n_inputs = 1,
      .inputs = {input},
      .factor = factor,
  };

  return factor == 1 ? input : srgan_build_layer (build, &layer);
}

gint
srgan_build_resize (SrganBuild *build, gint input, const gchar *name,
    guint factor, SrganFilter filter)
{
  const SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_RESIZE,
      .n_inputs = 1,
      .inputs = {input},
      .factor = factor,
      .filter = filter,
  };

  return factor == 1 ? input : srgan_build_layer (build, &layer);
}

gint
srgan_build_activation (SrganBuild *build, gint input, const gchar *name,
    SrganActivation activation, gfloat low, gfloat high)
{
  const SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_ACTIVATION,
      .n_inputs = 1,
      .inputs = {input},
      .activation = activation,
      .activation_low = low,
      .activation_high = high,
  };

  return srgan_build_layer (build, &layer);
}

gint
srgan_build_join (SrganBuild *build, SrganOperation operation,
    const gchar *name, const gint *inputs, guint n_inputs)
{
  SrganLayer layer = {
      .name = (gchar *) name,
      .operation = operation,
      .n_inputs = n_inputs,
  };

  if (n_inputs > SRGAN_LAYER_MAX_INPUTS) {
    srgan_build_fail (
        build, "joins %u maps; %u can be", n_inputs, SRGAN_LAYER_MAX_INPUTS);
    return 0;
  }
  memcpy (layer.inputs, inputs, n_inputs * sizeof *inputs);
  return srgan_build_layer (build, &layer);
}

gint
srgan_build_add (SrganBuild *build, const gchar *name, gint a, gint b)
{
  const gint inputs[] = {a, b};

  return srgan_build_join (build, SRGAN_OPERATION_ADD, name, inputs, 2);
}

gint
srgan_build_multiply (SrganBuild *build, const gchar *name, gint a, gint b)
{
  const gint inputs[] = {a, b};

  return srgan_build_join (build, SRGAN_OPERATION_MULTIPLY, name, inputs, 2);
}

/* @map less its means, and in @mean and @variance (1x1) what these are. */
static gint
take_mean (SrganBuild *build, gint map, const gchar *name, gint *mean,
    gint *variance, SrganActivation activation, gfloat epsilon)
{
  guint n = srgan_build_get_channels (build, map);
  g_autofree gfloat *minus = g_new0 (gfloat, MAX ((gsize) n * n, 1));
  SrganLayer layer = {
      .name = (gchar *) srgan_build_name (build, "%s_mean", name),
      .operation = SRGAN_OPERATION_GLOBAL_MEAN,
      .n_inputs = 1,
      .inputs = {map},
  };
  gint centred;

  *mean = srgan_build_layer (build, &layer);
  for (guint i = 0; i < n; i++)
    minus[i * n + i] = -1.f;
  layer.name = (gchar *) srgan_build_name (build, "%s_minus", name);
  layer.operation = SRGAN_OPERATION_LINEAR;
  layer.inputs[0] = *mean;
  layer.out_channels = n;
  layer.weight = minus;
  centred =
      srgan_build_add (build, srgan_build_name (build, "%s_centred", name), map,
          srgan_build_layer (build, &layer));
  layer = (SrganLayer){
      .name = (gchar *) srgan_build_name (build, "%s_variance", name),
      .operation = SRGAN_OPERATION_GLOBAL_MEAN,
      .n_inputs = 1,
      .activation = activation,
      .activation_low = epsilon,
  };
  layer.inputs[0] = srgan_build_multiply (
      build, srgan_build_name (build, "%s_squared", name), centred, centred);
  *variance = srgan_build_layer (build, &layer);
  return centred;
}

gint
srgan_build_instance_norm (
    SrganBuild *build, gint map, const gchar *name, const gchar *slope)
{
  SrganLayer layer = {
      .name = (gchar *) srgan_build_name (build, "%s_norm", name),
      .operation = SRGAN_OPERATION_MULTIPLY,
      .n_inputs = 2,
  };
  g_autofree gfloat *slopes = NULL;
  gint mean, gain, centred;

  centred = take_mean (
      build, map, name, &mean, &gain, SRGAN_ACTIVATION_INVERSE_ROOT, 1e-5f);
  if (slope != NULL) {
    slopes = get_slopes (build, slope, srgan_build_get_channels (build, map));
    layer.activation = SRGAN_ACTIVATION_PRELU;
    layer.slope = slopes;
  }
  layer.inputs[0] = centred;
  layer.inputs[1] = gain;
  return srgan_build_layer (build, &layer);
}

/* A matrix on a 1x1 map, of a 1x1 convolution's weights. */
static gint
build_linear (
    SrganBuild *build, gint map, const gchar *name, SrganActivation activation)
{
  const gchar *weight_name = srgan_build_name (build, "%s.weight", name);
  const gchar *bias_name = srgan_build_name (build, "%s.bias", name);
  guint out = srgan_build_get_dimension (build, weight_name, 0);
  guint in = srgan_build_get_channels (build, map);
  g_autofree gfloat *weight = get_vector (build, weight_name, out * in);
  g_autofree gfloat *bias = srgan_build_has (build, "%s", bias_name)
                                ? get_vector (build, bias_name, out)
                                : NULL;
  const SrganLayer layer = {
      .name = (gchar *) name,
      .operation = SRGAN_OPERATION_LINEAR,
      .n_inputs = 1,
      .inputs = {map},
      .out_channels = out,
      .weight = weight,
      .bias = bias,
      .activation = activation,
  };

  return srgan_build_layer (build, &layer);
}

/* @map times what the two matrices make of the 1x1 map @gate. */
static gint
gate_by (SrganBuild *build, gint map, gint gate, const gchar *name,
    const gchar *squeeze, const gchar *excite)
{
  gate = build_linear (build, gate, squeeze, SRGAN_ACTIVATION_RELU);
  gate = build_linear (build, gate, excite, SRGAN_ACTIVATION_SIGMOID);
  return srgan_build_multiply (
      build, srgan_build_name (build, "%s_gated", name), map, gate);
}

gint
srgan_build_channel_attention (SrganBuild *build, gint map, const gchar *name,
    const gchar *squeeze, const gchar *excite)
{
  const SrganLayer mean = {
      .name = (gchar *) srgan_build_name (build, "%s_mean", name),
      .operation = SRGAN_OPERATION_GLOBAL_MEAN,
      .n_inputs = 1,
      .inputs = {map},
  };

  return gate_by (
      build, map, srgan_build_layer (build, &mean), name, squeeze, excite);
}

gint
srgan_build_contrast_attention (SrganBuild *build, gint map, const gchar *name,
    const gchar *squeeze, const gchar *excite)
{
  gint mean, deviation, sum;

  take_mean (build, map, name, &mean, &deviation, SRGAN_ACTIVATION_ROOT, 0.f);
  sum = srgan_build_add (
      build, srgan_build_name (build, "%s_sum", name), deviation, mean);
  return gate_by (build, map, sum, name, squeeze, excite);
}

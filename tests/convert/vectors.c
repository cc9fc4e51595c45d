/* tests: lists of models, each with a picture and what the network makes of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "vectors.h"

#include <gdk-pixbuf/gdk-pixbuf.h>
#include <math.h>
#include <srgan/srgan.h>
#include <string.h>

void
tensor_free (Tensor *tensor)
{
  g_free (tensor->values);
  g_free (tensor);
}

Tensor *
tensor_new (guint channels, guint width, guint height)
{
  Tensor *tensor = g_new (Tensor, 1);

  tensor->channels = channels;
  tensor->width = width;
  tensor->height = height;
  tensor->values = g_new0 (gfloat, (gsize) channels * width * height);
  return tensor;
}

Tensor *
tensor_load_npy (const gchar *path, gboolean channels_last)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *contents = NULL;
  g_autofree gchar *header = NULL;
  const gchar *shape;
  const gfloat *data;
  guint64 sizes[3];
  gsize length, begin;
  Tensor *tensor;

  g_file_get_contents (path, &contents, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (contents, 6, "\x93NUMPY", 6);
  /* version 1: the header's length in two bytes */
  g_assert_cmpint (contents[6], ==, 1);
  begin = 10u + (guint8) contents[8] + 256u * (guint8) contents[9];
  header = g_strndup (contents + 10, begin - 10);
  g_assert_nonnull (strstr (header, "'<f4'"));
  g_assert_nonnull (strstr (header, "'fortran_order': False"));
  shape = strstr (header, "'shape': (");
  g_assert_nonnull (shape);
  shape += strlen ("'shape': (");
  for (guint i = 0; i < 3; i++) {
    gchar *end;

    sizes[i] = g_ascii_strtoull (shape, &end, 10);
    g_assert_true (end != shape);
    shape = end + strspn (end, ", ");
  }
  g_assert_cmpuint (length - begin, ==, sizes[0] * sizes[1] * sizes[2] * 4);
  data = (const gfloat *) (contents + begin);
  if (!channels_last) {
    tensor = tensor_new ((guint) sizes[0], (guint) sizes[2], (guint) sizes[1]);
    memcpy (tensor->values, data, length - begin);
    return tensor;
  }
  tensor = tensor_new ((guint) sizes[2], (guint) sizes[1], (guint) sizes[0]);
  for (gsize i = 0; i < sizes[0] * sizes[1]; i++)
    for (guint c = 0; c < sizes[2]; c++)
      tensor->values[c * sizes[0] * sizes[1] + i] = data[i * sizes[2] + c];
  return tensor;
}

Tensor *
tensor_load_png (const gchar *path, guint channels)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GdkPixbuf) picture = gdk_pixbuf_new_from_file (path, &error);
  const guint8 *pixels;
  Tensor *tensor;

  g_assert_no_error (error);
  tensor = tensor_new (channels, (guint) gdk_pixbuf_get_width (picture),
      (guint) gdk_pixbuf_get_height (picture));
  pixels = gdk_pixbuf_read_pixels (picture);
  for (guint c = 0; c < channels; c++)
    for (guint y = 0; y < tensor->height; y++)
      for (guint x = 0; x < tensor->width; x++)
        tensor->values[((gsize) c * tensor->height + y) * tensor->width + x] =
            (gfloat)
                pixels[y * (gsize) gdk_pixbuf_get_rowstride (picture) +
                       x * (gsize) gdk_pixbuf_get_n_channels (picture) + c] /
            255.f;
  return tensor;
}

Tensor *
tensor_run (
    SrganNetwork *network, SrganPrecision precision, const Tensor *input)
{
  const SrganPlanSettings settings = {.width = input->width,
      .height = input->height,
      .layout = {.kind = SRGAN_LAYOUT_TENSOR},
      .precision = precision,
      .n_threads = 1};
  g_autoptr (GError) error = NULL;
  g_autoptr (SrganPlan) plan = srgan_plan_new (network, &settings, &error);
  SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};
  guint width, height;
  Tensor *output;

  g_assert_no_error (error);
  srgan_plan_get_output_size (plan, &width, &height);
  output = tensor_new (input->channels, width, height);
  for (guint i = 0; i < input->channels; i++) {
    in.component[i] = input->values + (gsize) i * input->width * input->height;
    in.stride[i] = input->width * sizeof (gfloat);
    out.component[i] = output->values + (gsize) i * width * height;
    out.stride[i] = width * sizeof (gfloat);
  }
  srgan_plan_run (plan, &in, &out);
  return output;
}

gdouble
tensor_compare (const Tensor *a, const Tensor *b)
{
  gdouble largest = 0.;

  g_assert_cmpuint (a->channels, ==, b->channels);
  g_assert_cmpuint (a->width, ==, b->width);
  g_assert_cmpuint (a->height, ==, b->height);
  for (gsize i = 0; i < (gsize) a->channels * a->width * a->height; i++) {
    gdouble difference = fabs ((gdouble) a->values[i] - b->values[i]);

    /* said so that NaN is not overlooked */
    if (!(difference <= largest))
      largest = difference;
  }
  return largest;
}

JsonArray *
vectors_load (JsonParser *parser, const gchar *folder)
{
  g_autofree gchar *path = g_build_filename (folder, "LIST.json", NULL);
  g_autoptr (GError) error = NULL;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return NULL;
  json_parser_load_from_file (parser, path, &error);
  g_assert_no_error (error);
  return json_object_get_array_member (
      json_node_get_object (json_parser_get_root (parser)), "entries");
}

/* What the list says of a model's values: gives the factor and offset from
 * 0 .. 1. */
static void
get_values (JsonObject *entry, gdouble *scale, gdouble *offset)
{
  const gchar *range = json_object_get_string_member (entry, "output_range");

  *scale = 1.;
  *offset = 0.;
  if (g_str_has_prefix (range, "0..255") || strstr (range, "[0,255]") ||
      strstr (range, "uint8 codes")) {
    *scale = 255.;
  } else if (strstr (range, "[-1,1]")) {
    *scale = 2.;
    *offset = -1.;
  }
}

static void
fill_options (JsonObject *entry, SrganConvertOptions *options)
{
  JsonObject *given;
  const gchar *text;

  if (!json_object_has_member (entry, "options"))
    return;
  given = json_object_get_object_member (entry, "options");
  options->scale =
      (guint) json_object_get_int_member_with_default (given, "scale", 0);
  text = json_object_get_string_member_with_default (given, "colour", "auto");
  while (strcmp (srgan_order_to_string (options->order), text) != 0)
    options->order++;
  text = json_object_get_string_member_with_default (given, "range", "auto");
  while (strcmp (srgan_range_to_string (options->range), text) != 0)
    options->range++;
}

static void
to_values (Tensor *tensor, gdouble scale, gdouble offset)
{
  for (gsize i = 0;
       i < (gsize) tensor->channels * tensor->width * tensor->height; i++)
    tensor->values[i] = (gfloat) (tensor->values[i] * scale + offset);
}

static gdouble
get_mean_difference (const Tensor *a, const Tensor *b)
{
  gsize n = (gsize) a->channels * a->width * a->height;
  gdouble sum = 0.;

  for (gsize i = 0; i < n; i++)
    sum += fabs ((gdouble) a->values[i] - b->values[i]);
  return sum / (gdouble) n;
}

/* Beside what a network of integers gives, perhaps, lies what its weights give
 * in floats. */
static void
check_floats (SrganNetwork *network, const Tensor *input,
    const gchar *expected_path, gboolean channels_last, gdouble scale,
    gdouble offset)
{
  g_autofree gchar *folder = g_path_get_dirname (expected_path);
  g_autofree gchar *path =
      g_build_filename (folder, "expected_float.npy", NULL);
  g_autoptr (Tensor) output = NULL;
  g_autoptr (Tensor) expected = NULL;
  gdouble difference;

  if (!g_file_test (path, G_FILE_TEST_EXISTS))
    return;
  output = tensor_run (network, SRGAN_PRECISION_FP32, input);
  to_values (output, scale, offset);
  expected = tensor_load_npy (path, channels_last);
  difference = tensor_compare (output, expected);
  g_test_message ("in floats: largest difference %.3g", difference);
  g_assert_cmpfloat (difference, <=, 1e-4 * scale);
}

/* FSRCNN's (d, s, m): its two widths are in what was found, too. */
static void
check_widths (const gchar *expected, const gchar *found)
{
  const gchar *numbers = strchr (expected, '(');
  g_autofree gchar *widths = NULL;
  guint64 wide, narrow;
  gchar *end;

  if (!g_str_has_prefix (expected, "FSRCNN") || numbers == NULL)
    return;
  wide = g_ascii_strtoull (numbers + 1, &end, 10);
  g_assert_cmpint (*end, ==, ',');
  narrow = g_ascii_strtoull (end + 1, NULL, 10);
  widths = g_strdup_printf (
      "%" G_GUINT64_FORMAT " and %" G_GUINT64_FORMAT " channels", wide, narrow);
  g_test_message ("%s: %s", expected, found);
  g_assert_nonnull (strstr (found, widths));
}

/* Whether the architecture that was found is what the list calls it: "FSRCNN,
 * 56 channels" or one of "ABPN/base7". */
static void
check_architecture (JsonObject *entry, const SrganConvertReport *report)
{
  const gchar *expected =
      json_object_get_string_member_with_default (entry, "arch", NULL);
  g_auto (GStrv) parts = NULL;
  g_auto (GStrv) names = NULL;

  /* some are described by another entry */
  if (expected == NULL || g_str_has_prefix (expected, "the same network"))
    return;
  g_assert_nonnull (report->architecture);
  parts = g_strsplit (report->architecture, ",", 2);
  names = g_strsplit (parts[0], "/", -1);
  for (guint i = 0; names[i] != NULL; i++) {
    names[i][strcspn (names[i], " ")] = '\0';
    if (strstr (expected, names[i]) != NULL) {
      check_widths (expected, report->architecture);
      return;
    }
  }
  g_test_message ("taken for '%s', it is '%s'", report->architecture, expected);
  g_test_fail ();
}

void
vectors_check (const gchar *folder, JsonObject *entry)
{
  const gchar *id = json_object_get_string_member (entry, "id");
  const gchar *layout = json_object_get_string_member (entry, "layout");
  gboolean channels_last = g_str_has_prefix (layout, "HWC");
  JsonArray *models = json_object_get_array_member (entry, "model");
  g_autofree gchar *model = g_build_filename (
      folder, json_array_get_string_element (models, 0), NULL);
  g_autofree gchar *expected_path = g_build_filename (
      folder, json_object_get_string_member (entry, "expected"), NULL);
  gdouble tolerance = json_object_get_double_member (entry, "tolerance");
  SrganConvertOptions options = {0};
  g_auto (SrganConvertReport) report = {0};
  g_autoptr (SrganNetwork) network = NULL;
  g_autoptr (Tensor) input = NULL;
  g_autoptr (Tensor) output = NULL;
  g_autoptr (Tensor) expected = NULL;
  g_autoptr (GError) error = NULL;
  gdouble scale, offset, difference;
  guint channels;

  /* a SavedModel is its folder */
  if (g_str_has_suffix (model, "saved_model.pb")) {
    gchar *home = g_path_get_dirname (model);

    g_free (model);
    model = home;
  }
  if (!srgan_convert_can_read (model)) {
    g_autofree gchar *why =
        g_strdup_printf ("%s: no reader knows it in this build", model);

    g_test_skip (why);
    return;
  }
  fill_options (entry, &options);
  network = srgan_convert_read (model, &options, &report, &error);
  if (network == NULL) {
    g_test_message ("%s: %s", id, error->message);
    g_test_fail ();
    return;
  }
  g_assert_cmpuint (srgan_network_get_scale (network), ==,
      json_object_get_int_member (entry, "scale"));
  check_architecture (entry, &report);
  get_values (entry, &scale, &offset);
  /* what a file does not tell, and its user must */
  if (!json_object_has_member (entry, "options") &&
      ((g_strcmp0 (report.range, "0-1") == 0 && scale == 255.) ||
          (g_strcmp0 (report.range, "0-255") == 0 && scale == 1.))) {
    g_test_message (
        "%s: taken for one of %s, which it is not", id, report.range);
    options.range = scale == 255. ? SRGAN_RANGE_CODE : SRGAN_RANGE_ONE;
    srgan_convert_report_clear (&report);
    srgan_network_unref (network);
    network = srgan_convert_read (model, &options, &report, &error);
    g_assert_no_error (error);
  }
  channels = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
  if (json_object_get_null_member (entry, "input_tensor")) {
    g_autofree gchar *path = g_build_filename (
        folder, json_object_get_string_member (entry, "input"), NULL);

    input = tensor_load_png (path, channels);
  } else {
    g_autofree gchar *path = g_build_filename (
        folder, json_object_get_string_member (entry, "input_tensor"), NULL);

    input = tensor_load_npy (path, channels_last);
  }
  /* a network that came with steps is run as it is meant */
  output = tensor_run (network, srgan_network_get_precision (network), input);
  to_values (output, scale, offset);
  expected = tensor_load_npy (expected_path, channels_last);
  if (srgan_network_get_precision (network) == SRGAN_PRECISION_INT8) {
    difference = tensor_compare (output, expected);
    g_test_message ("%s: in integers: largest difference %.3g of %.3g allowed, "
                    "mean %.3g",
        id, difference, tolerance, get_mean_difference (output, expected));
    if (!(difference <= tolerance))
      g_test_fail ();
    check_floats (network, input, expected_path, channels_last, scale, offset);
    return;
  }
  difference = tensor_compare (output, expected);
  g_test_message ("%s: %s: largest difference %.3g of %.3g allowed", id,
      report.architecture != NULL ? report.architecture : report.format,
      difference, tolerance);
  if (!(difference <= tolerance))
    g_test_fail ();
}

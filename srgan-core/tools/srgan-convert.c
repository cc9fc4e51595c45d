/* tools: srgan-convert: networks out of the files that other programs write.
 *
 * SPDX-License-Identifier: MIT
 */
#include "calibrate.h"
#include "tool.h"

#ifdef HAVE_TRAIN
#include "pictures.h"
#include "train/score.h"
#endif

#include <errno.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <srgan/srgan-convert.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static gboolean inspect;
static gboolean as_json;
static gboolean list;
static gint scale;
static gchar *range;
static gchar *order;
static gchar *architecture;
static gchar *target;
static gchar *verify;
static gboolean half;
static gboolean quantise;
static gboolean int8;
static gchar *calibration;
static gboolean features;
static gchar *feature_layers;
static gchar *mean;

static const GOptionEntry entries[] = {
    {"inspect", 'i', 0, G_OPTION_ARG_NONE, &inspect,
        "Only say what IN is; no OUT", NULL},
    {"json", 'j', 0, G_OPTION_ARG_NONE, &as_json,
        "Print JSON for other programs", NULL},
    {"scale", 's', 0, G_OPTION_ARG_INT, &scale,
        "The model enlarges by S, where its weights do not tell", "S"},
    {"range", 0, 0, G_OPTION_ARG_STRING, &range,
        "The values that the model takes and gives: 0-1 or 0-255", "RANGE"},
    {"colour", 0, 0, G_OPTION_ARG_STRING, &order,
        "The order of its channels: rgb, bgr, or y for luma", "ORDER"},
    {"arch", 0, 0, G_OPTION_ARG_STRING, &architecture,
        "Its architecture, see --formats", "NAME"},
    {"to", 0, 0, G_OPTION_ARG_STRING, &target,
        "What to write: srgan, pytorch, onnx or rsr; else by OUT's ending",
        "FORMAT"},
    {"verify", 0, 0, G_OPTION_ARG_FILENAME, &verify,
        "Reduce PICTURE and enlarge it with the network: prints PSNR beside "
        "bicubic's, writes both, side by side, to OUT.verify.png",
        "PICTURE"},
    {"half", 0, 0, G_OPTION_ARG_NONE, &half,
        "Write the weights in half precision", NULL},
    {"quantise", 0, 0, G_OPTION_ARG_NONE, &quantise,
        "Zero the low 12 bits of each weight, for .rsr to compress", NULL},
    {"int8", 0, 0, G_OPTION_ARG_NONE, &int8,
        "Make the network ready for int8, beside fp32; needs --calibrate",
        NULL},
    {"calibrate", 0, 0, G_OPTION_ARG_FILENAME, &calibration,
        "Pictures like those to come, large ones, for --int8", "FOLDER"},
    {"features", 0, 0, G_OPTION_ARG_NONE, &features,
        "A network that judges pictures, for srgan-eval --features and for "
        "training: what follows its last map is cut off",
        NULL},
    {"feature-layers", 0, 0, G_OPTION_ARG_STRING, &feature_layers,
        "--features: its layers that are compared, with ; between", "NAMES"},
    {"mean", 0, 0, G_OPTION_ARG_STRING, &mean,
        "--features: what it wants subtracted of its three channels, in its "
        "own --colour and --range",
        "A,B,C"},
    {"formats", 0, 0, G_OPTION_ARG_NONE, &list,
        "List the formats and architectures that are known", NULL},
    {NULL},
};

/* The value of a nick, or a usage error that names all. */
static gint
parse_nick (const gchar *option, const gchar *nick, gint n,
    const gchar *(*to_string) (gint value))
{
  g_autoptr (GString) known = g_string_new (NULL);

  if (nick == NULL)
    return 0;
  for (gint i = 0; i < n; i++) {
    if (strcmp (nick, to_string (i)) == 0)
      return i;
    g_string_append_printf (known, "%s%s", i > 0 ? ", " : "", to_string (i));
  }
  tool_usage_error ("--%s '%s' is none of %s", option, nick, known->str);
}

/* "104,117,123" */
static void
parse_mean (gdouble *values)
{
  g_auto (GStrv) parts = g_strsplit (mean, ",", -1);
  gboolean good = g_strv_length (parts) == 3;

  for (guint i = 0; good && i < 3; i++) {
    gchar *end;

    values[i] = g_ascii_strtod (parts[i], &end);
    good = end != parts[i] && *end == '\0' && ABS (values[i]) <= 1e6;
  }
  if (!good)
    tool_usage_error (
        "--mean takes three numbers with , between, not '%s'", mean);
}

static const gchar *
range_to_string (gint value)
{
  return srgan_range_to_string ((SrganRange) value);
}

static const gchar *
order_to_string (gint value)
{
  return srgan_order_to_string ((SrganOrder) value);
}

static const gchar *
target_to_string (gint value)
{
  return srgan_target_to_string ((SrganTarget) value);
}

static gint
print_formats (void)
{
  const SrganFormat *tables[] = {
      srgan_convert_list_formats (), srgan_convert_list_architectures ()};
  const gchar *const titles[] = {
      "FORMATS READ", "ARCHITECTURES OF STATE DICTS"};

  for (guint i = 0; i < G_N_ELEMENTS (tables); i++) {
    ToolTable *table = tool_table_new ("ll");

    tool_table_add (table, g_strdup (titles[i]), NULL);
    for (const SrganFormat *row = tables[i]; row->name != NULL; row++)
      tool_table_add (table, g_strdup (row->name), g_strdup (row->description));
    tool_table_print (table);
    if (i == 0)
      g_print ("\n");
  }
  return tool_finish ();
}

/* --- One model ---------------------------------------------------------- */

typedef struct {
  gdouble network_psnr; /* of --verify; 0: was not asked for */
  gdouble bicubic_psnr;
  SrganConvertReport report;
  SrganNetwork *network; /* %NULL where reading failed */
  GError *error;         /* why something failed */
} Result;

static void
clear_result (Result *result)
{
  srgan_convert_report_clear (&result->report);
  g_clear_pointer (&result->network, srgan_network_unref);
  g_clear_error (&result->error);
}

static const gchar *
or_unknown (const gchar *text)
{
  return text != NULL ? text : "unknown";
}

static void
build_result (JsonBuilder *builder, const gchar *input, const gchar *output,
    const Result *result)
{
  const SrganConvertReport *report = &result->report;

  json_builder_begin_object (builder);
  tool_json_add_string (builder, "file", input);
  if (output != NULL)
    tool_json_add_string (builder, "output", output);
  if (report->format != NULL)
    tool_json_add_string (builder, "format", report->format);
  if (report->architecture != NULL)
    tool_json_add_string (builder, "architecture", report->architecture);
  if (report->range != NULL)
    tool_json_add_string (builder, "range", report->range);
  if (report->order != NULL)
    tool_json_add_string (builder, "colour", report->order);
  if (report->licence != NULL)
    tool_json_add_string (builder, "licence", report->licence);
  if (result->network != NULL) {
    tool_json_add_count (
        builder, "scale", srgan_network_get_scale (result->network));
    tool_json_add_count (
        builder, "n_layers", srgan_network_get_n_layers (result->network));
    tool_json_add_count (builder, "parameters",
        srgan_network_get_n_parameters (result->network));
    tool_json_add_number (builder, "multiply_adds_per_pixel",
        srgan_network_get_multiply_adds (result->network));
  }
  if (result->network_psnr > 0.) {
    tool_json_add_number (builder, "verified_psnr", result->network_psnr);
    tool_json_add_number (builder, "bicubic_psnr", result->bicubic_psnr);
  }
  json_builder_set_member_name (builder, "remarks");
  json_builder_begin_array (builder);
  for (guint i = 0; report->remarks != NULL && i < report->remarks->len; i++)
    json_builder_add_string_value (
        builder, g_ptr_array_index (report->remarks, i));
  json_builder_end_array (builder);
  if (result->error != NULL)
    tool_json_add_string (builder, "error", result->error->message);
  json_builder_end_object (builder);
}

static void
print_line (const gchar *name, const gchar *text)
{
  g_autofree gchar *printable = tool_make_printable (text);

  g_print ("%-14s %s\n", name, printable);
}

static void
print_result (const Result *result)
{
  const SrganConvertReport *report = &result->report;
  g_autofree gchar *parameters =
      tool_format_count (srgan_network_get_n_parameters (result->network));
  g_autofree gchar *size = g_strdup_printf ("%u, %s parameters, %.2f thousand "
                                            "multiply-adds for each pixel",
      srgan_network_get_n_layers (result->network), parameters,
      srgan_network_get_multiply_adds (result->network) / 1000.);
  g_autofree gchar *enlarges =
      g_strdup_printf ("%u", srgan_network_get_scale (result->network));

  print_line ("format:", or_unknown (report->format));
  print_line ("architecture:", report->architecture != NULL
                                   ? report->architecture
                                   : "as the file's graph says");
  print_line ("scale:", enlarges);
  print_line ("layers:", size);
  print_line ("range:", or_unknown (report->range));
  print_line ("colour:", or_unknown (report->order));
  print_line ("licence:",
      report->licence != NULL ? report->licence : "nothing said in the file");
  if (result->network_psnr > 0.) {
    g_autofree gchar *verified = g_strdup_printf (
        "%.2f dB, bicubic %.2f dB (luma PSNR, reduced and enlarged again)",
        result->network_psnr, result->bicubic_psnr);

    print_line ("verified:", verified);
  }
  for (guint i = 0; report->remarks != NULL && i < report->remarks->len; i++)
    print_line (
        i == 0 ? "remarks:" : "", g_ptr_array_index (report->remarks, i));
}

#ifdef HAVE_TRAIN
/* Both pictures side by side in the file @path. */
static gboolean
save_beside (const SrganPicture *left, const SrganPicture *right,
    const gchar *path, GError **error)
{
  g_autoptr (SrganPicture) both =
      srgan_picture_new (left->width + right->width, left->height);

  for (guint y = 0; y < left->height; y++) {
    memcpy (both->rgb + (gsize) y * both->width * 3,
        left->rgb + (gsize) y * left->width * 3, (gsize) left->width * 3);
    memcpy (both->rgb + ((gsize) y * both->width + left->width) * 3,
        right->rgb + (gsize) y * right->width * 3, (gsize) right->width * 3);
  }
  return srgan_picture_save (both, path, error);
}

static gchar *
make_picture_name (const gchar *output)
{
  return g_strconcat (output, ".verify.png", NULL);
}

/* Whether the network does what one of its kind should. */
static gboolean
verify_network (Result *result, const gchar *output)
{
  guint factor = srgan_network_get_scale (result->network);
  g_autoptr (SrganPicture) picture =
      srgan_picture_load (verify, &result->error);
  g_autoptr (SrganPicture) small = NULL, large = NULL, bicubic = NULL;

  if (picture == NULL)
    return FALSE;
  if (picture->width < 4 * factor || picture->height < 4 * factor) {
    g_set_error (&result->error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s: is too small to verify with", verify);
    return FALSE;
  }
  srgan_picture_crop (picture, factor);
  small = tool_resize (
      picture, 1. / factor, picture->width / factor, picture->height / factor);
  bicubic = tool_resize (small, factor, picture->width, picture->height);
  large = tool_upscale (
      result->network, 0, SRGAN_PRECISION_AUTO, small, &result->error);
  if (large == NULL)
    return FALSE;
  result->network_psnr = srgan_score_pictures (picture, large, factor).psnr;
  result->bicubic_psnr = srgan_score_pictures (picture, bicubic, factor).psnr;
  if (output != NULL) {
    g_autofree gchar *path = make_picture_name (output);

    return save_beside (large, bicubic, path, &result->error);
  }
  return TRUE;
}

/* What verify_network() wrote, where the network itself could not be. */
static void
remove_picture (const gchar *output)
{
  g_autofree gchar *path = make_picture_name (output);

  g_unlink (path);
}
#else
static gboolean
verify_network (Result *result, const gchar *output)
{
  g_set_error (&result->error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "--verify: this build cannot read pictures (it lacks libsrgan-train)");
  return FALSE;
}

static void
remove_picture (const gchar *output)
{
}
#endif

static SrganNetwork *
calibrate (SrganNetwork *network, GError **error)
{
#ifdef HAVE_TRAIN
  return tool_calibrate (network, calibration, error);
#else
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "--int8: this build has no calibration: it needs -Dtrain=enabled");
  return NULL;
#endif
}

/* What can be known to fail before any work is done. */
static gboolean
check_output (const gchar *input, const gchar *output,
    const SrganWriteOptions *options, GError **error)
{
  g_autofree gchar *folder = g_path_get_dirname (output);
  GStatBuf from, to;

  if (options->target == SRGAN_TARGET_AUTO &&
      srgan_target_from_path (output) == SRGAN_TARGET_AUTO) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s: its ending, none of .safetensors, .onnx and .rsr, does not say "
        "what to write: see --to",
        output);
    return FALSE;
  }
  if (g_stat (input, &from) == 0 && g_stat (output, &to) == 0 &&
      from.st_dev == to.st_dev && from.st_ino == to.st_ino) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "%s: is the model that is read, which would be lost: give OUT another "
        "name",
        output);
    return FALSE;
  }
  if (!g_file_test (folder, G_FILE_TEST_IS_DIR)) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "%s: there is no folder '%s': make it first", output, folder);
    return FALSE;
  }
  if (g_access (folder, W_OK) != 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
        "%s: the folder '%s' cannot be written to: %s", output, folder,
        g_strerror (errno));
    return FALSE;
  }
  return TRUE;
}

/* A signal that came while a network was written. */
static volatile sig_atomic_t held;

static void
hold (int number)
{
  held = number;
}

/* Writes the network; who interrupts the program meanwhile waits for that, lest
 * the temporary file stay behind. By handlers, which count for all threads:
 * OpenBLAS has some of its own. */
static gboolean
write_network (SrganNetwork *network, const gchar *output,
    const SrganWriteOptions *options, GError **error)
{
  static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
  struct sigaction action = {.sa_handler = hold, .sa_flags = SA_RESTART};
  struct sigaction before[G_N_ELEMENTS (numbers)];
  gboolean written;

  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++) {
    sigaction (numbers[i], NULL, &before[i]);
    /* what is ignored, by nohup say, stays so */
    if (before[i].sa_handler != SIG_IGN)
      sigaction (numbers[i], &action, NULL);
  }
  written = srgan_convert_write (network, output, options, error);
  for (guint i = 0; i < G_N_ELEMENTS (numbers); i++)
    sigaction (numbers[i], &before[i], NULL);
  if (held)
    raise (held);
  return written;
}

/* Reads @input and, if there is an @output, writes it. */
static gboolean
convert (const gchar *input, const gchar *output,
    const SrganConvertOptions *options, const SrganWriteOptions *write_options,
    Result *result)
{
  if (output != NULL &&
      !check_output (input, output, write_options, &result->error))
    return FALSE;
  result->network =
      srgan_convert_read (input, options, &result->report, &result->error);
  if (result->network == NULL)
    return FALSE;
  if (int8) {
    SrganNetwork *quantised = calibrate (result->network, &result->error);

    if (quantised == NULL)
      return FALSE;
    srgan_network_unref (result->network);
    result->network = quantised;
  }
  if (verify != NULL && !verify_network (result, output))
    return FALSE;
  if (output != NULL &&
      !write_network (result->network, output, write_options, &result->error)) {
    if (verify != NULL)
      remove_picture (output);
    return FALSE;
  }
  return TRUE;
}

/* --- A folder ----------------------------------------------------------- */

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const gchar *const *) a, *(const gchar *const *) b);
}

/* The models in @folder, by their content; or %NULL with @error set. */
static GPtrArray *
list_models (const gchar *folder, GError **error)
{
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (g_free);
  GDir *directory = g_dir_open (folder, 0, error);
  const gchar *name;

  if (directory == NULL)
    return NULL;
  while ((name = g_dir_read_name (directory)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    if (srgan_convert_can_read (path))
      g_ptr_array_add (models, g_steal_pointer (&path));
  }
  g_dir_close (directory);
  if (models->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND,
        "%s: holds no model of a format known here", folder);
    return NULL;
  }
  g_ptr_array_sort (models, compare_names);
  return g_steal_pointer (&models);
}

static gchar *
make_output_name (const gchar *folder, const gchar *input, SrganTarget kind)
{
  static const gchar *const endings[] = {
      ".safetensors", ".safetensors", ".safetensors", ".onnx", ".rsr"};
  g_autofree gchar *name = g_path_get_basename (input);
  gchar *dot = strrchr (name, '.');
  g_autofree gchar *renamed = NULL;

  if (dot != NULL && dot != name)
    *dot = '\0';
  renamed = g_strconcat (name, endings[kind], NULL);
  return g_build_filename (folder, renamed, NULL);
}

static gint
convert_folder (const gchar *input, const gchar *output,
    const SrganConvertOptions *options, const SrganWriteOptions *write_options)
{
  GError *error = NULL;
  g_autoptr (GPtrArray) models = list_models (input, &error);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (GHashTable) written =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  ToolTable *table = tool_table_new ("lllrrl");
  guint n_failed = 0;
  gboolean on_terminal = isatty (STDERR_FILENO);

  if (models == NULL) {
    tool_table_free (table);
    return tool_fail (error);
  }
  if (output != NULL && g_mkdir_with_parents (output, 0777) != 0) {
    tool_table_free (table);
    tool_warn ("%s: %s", output, g_strerror (errno));
    return TOOL_EXIT_FAILED;
  }
  tool_table_add (table, g_strdup ("MODEL"), g_strdup ("FORMAT"),
      g_strdup ("ARCHITECTURE"), g_strdup ("SCALE"), g_strdup ("PARAMETERS"),
      g_strdup ("RESULT"));
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "models");
  json_builder_begin_array (builder);
  for (guint i = 0; i < models->len; i++) {
    const gchar *model = g_ptr_array_index (models, i);
    g_autofree gchar *name = g_path_get_basename (model);
    g_autofree gchar *shown = g_filename_display_name (name);
    g_autofree gchar *path =
        output != NULL ? make_output_name (output, model, write_options->target)
                       : NULL;
    Result result = {0};

    if (on_terminal)
      g_printerr ("\r\033[K%u of %u: %s", i + 1, models->len, shown);
    if (path != NULL && !g_hash_table_add (written, g_strdup (path)))
      g_set_error (&result.error, SRGAN_ERROR, SRGAN_ERROR_WRITE,
          "%s: another model of this folder was written there", path);
    else
      convert (model, path, options, write_options, &result);
    if (result.error != NULL)
      n_failed++;
    build_result (builder, model, path, &result);
    tool_table_add (table, g_steal_pointer (&shown),
        g_strdup (or_unknown (result.report.format)),
        g_strdup (result.report.architecture),
        result.network != NULL
            ? g_strdup_printf ("%u", srgan_network_get_scale (result.network))
            : NULL,
        result.network != NULL
            ? tool_format_count (
                  srgan_network_get_n_parameters (result.network))
            : NULL,
        result.error != NULL ? tool_make_printable (result.error->message)
                             : g_strdup (path != NULL ? "converted" : "read"));
    clear_result (&result);
  }
  json_builder_end_array (builder);
  tool_json_add_count (builder, "n_failed", n_failed);
  json_builder_end_object (builder);
  if (on_terminal)
    g_printerr ("\r\033[K");
  if (as_json) {
    tool_json_print (builder);
    tool_table_free (table);
  } else {
    tool_table_print (table);
  }
  if (n_failed > 0) {
    tool_warn ("%u of %u models failed", n_failed, models->len);
    tool_finish ();
    return TOOL_EXIT_FAILED;
  }
  return tool_finish ();
}

/* --- The whole ---------------------------------------------------------- */

gint
main (gint argc, gchar **argv)
{
  SrganConvertOptions options = {0};
  SrganWriteOptions write_options = {0};
  Result result = {0};
  const gchar *input, *output;
  gint status = 0;

  tool_parse (&argc, &argv, "srgan-convert", "IN [OUT]",
      "Turns super-resolution models of other programs into ours, which the "
      "element plays.",
      "IN is a model file, told by its content, or a folder of them: then OUT "
      "is a folder,\ntoo. OUT ends in .safetensors, .onnx or .rsr.\n\n"
      "  srgan-convert model.pth model.safetensors\n"
      "  srgan-convert --inspect model.onnx",
      entries, 0, 2);
  options.scale = (guint) scale;
  if (scale < 0 || scale > 4)
    tool_usage_error ("--scale %d is not within 1 to 4", scale);
  options.range =
      (SrganRange) parse_nick ("range", range, SRGAN_N_RANGES, range_to_string);
  options.order = (SrganOrder) parse_nick (
      "colour", order, SRGAN_N_ORDERS, order_to_string);
  options.architecture = architecture;
  options.features = features;
  options.feature_layers = feature_layers;
  if (!features && (feature_layers != NULL || mean != NULL))
    tool_usage_error ("--feature-layers and --mean go with --features");
  if (features && (int8 || verify != NULL))
    tool_usage_error (
        "--features makes no pictures: --int8 and --verify need them");
  if (mean != NULL)
    parse_mean (options.mean);
  write_options.target = (SrganTarget) parse_nick (
      "to", target, SRGAN_N_TARGETS, target_to_string);
  if (argc > 2) {
    SrganTarget kind = write_options.target;

    if (kind == SRGAN_TARGET_AUTO)
      kind = srgan_target_from_path (argv[2]);
    options.keep_channels = srgan_target_has_layout (kind);
  }
  write_options.half = half;
  write_options.quantise = quantise;

  if (int8 != (calibration != NULL))
    tool_usage_error ("--int8 and --calibrate FOLDER go together");
  if (list)
    return print_formats ();
  if (argc < 2)
    tool_usage_error ("something is missing: IN OUT");
  if (inspect && argc > 2)
    tool_usage_error ("--inspect writes nothing: '%s' is too much", argv[2]);
  if (!inspect && argc < 3)
    tool_usage_error ("something is missing: OUT, or --inspect");
  input = argv[1];
  output = inspect ? NULL : argv[2];

  if (g_file_test (input, G_FILE_TEST_IS_DIR) &&
      !srgan_convert_can_read (input))
    return convert_folder (input, output, &options, &write_options);

  if (!convert (input, output, &options, &write_options, &result))
    status = TOOL_EXIT_FAILED;
  if (as_json) {
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    build_result (builder, input, output, &result);
    tool_json_print (builder);
  } else if (result.network != NULL && result.error == NULL) {
    print_result (&result);
  }
  if (result.error != NULL)
    tool_fail (g_steal_pointer (&result.error));
  clear_result (&result);
  return status != 0 ? status : tool_finish ();
}

/* tools: srgan-eval: scores a network on a folder of pictures, as papers do.
 *
 * Each picture is cut to a multiple of the scale, reduced with MATLAB's bicubic
 * to 8-bit R'G'B', enlarged again by the engine, as R'G'B' with the matrix of
 * BT.601, and compared in luma with the picture it was, a border of as many
 * pixels as the scale left out.
 *
 * A clip's luma and chroma are reduced likewise, go through x264, and the luma
 * is enlarged and compared.
 *
 * SPDX-License-Identifier: MIT
 */
#include "clips.h"
#include "pictures.h"
#include "tool.h"
#include "train/feature-network.h"
#include "train/picture.h"
#include "train/score.h"

#include <errno.h>
#include <math.h>
#include <srgan/srgan.h>
#include <string.h>

typedef struct {
  gchar *name;
  SrganScore score;
  SrganScore bicubic;
  /* perceptual: only if there are features */
  gdouble distance;
  gdouble bicubic_distance;
} Row;

static void
row_clear (gpointer row)
{
  g_free (((Row *) row)->name);
}

static SrganPrecision precision;

static SrganFeatures *features;

/* What lies inside the border, over 255. */
static gfloat *
get_inside (const SrganPicture *picture, guint border)
{
  guint width = picture->width - 2 * border;
  guint height = picture->height - 2 * border;
  gfloat *values = g_new (gfloat, (gsize) 3 * width * height), *to = values;

  for (guint y = 0; y < height; y++) {
    const guint8 *from =
        picture->rgb + 3 * ((gsize) (y + border) * picture->width + border);

    for (guint i = 0; i < 3 * width; i++)
      *to++ = from[i] / 255.f;
  }
  return values;
}

/* The perceptual distance from @picture of each of @others, which may be NULL,
 * on R'G'B' without the border. */
static gboolean
measure_distances (const SrganPicture *picture, const SrganPicture *others[2],
    guint border, gdouble distances[2], GError **error)
{
  g_autoptr (SrganFeaturesState) state = srgan_features_state_new (features,
      picture->width - 2 * border, picture->height - 2 * border, FALSE, error);
  g_autofree gfloat *target = NULL;

  if (state == NULL)
    return FALSE;
  target = get_inside (picture, border);
  srgan_features_set_target (state, target);
  for (guint i = 0; i < 2; i++)
    if (others[i] != NULL) {
      g_autofree gfloat *values = get_inside (others[i], border);

      distances[i] = srgan_features_distance (state, values);
    }
  return TRUE;
}

/* Scores one picture; @network may be NULL: bicubic alone. */
static gboolean
evaluate (const gchar *path, guint factor, SrganNetwork *network, guint threads,
    const gchar *to, Row *row, GError **error)
{
  g_autoptr (SrganPicture) picture = srgan_picture_load (path, error);
  g_autoptr (SrganPicture) small = NULL, large = NULL, bicubic = NULL;
  g_autofree gchar *stem = g_path_get_basename (path);
  gchar *dot = strrchr (stem, '.');

  if (picture == NULL)
    return FALSE;
  if (dot != NULL)
    *dot = '\0';
  /* what is left inside the border has to hold SSIM's window */
  if (MIN (picture->width, picture->height) / factor * factor <
      2 * factor + 11) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s is too small to be scored at scale %u: %ux%u", path, factor,
        picture->width, picture->height);
    return FALSE;
  }
  srgan_picture_crop (picture, factor);
  small = tool_resize (
      picture, 1. / factor, picture->width / factor, picture->height / factor);
  bicubic = tool_resize (small, factor, picture->width, picture->height);
  row->bicubic = srgan_score_pictures (picture, bicubic, factor);
  row->score = row->bicubic;
  if (network != NULL) {
    large = tool_upscale (network, threads, precision, small, error);
    if (large == NULL)
      return FALSE;
    row->score = srgan_score_pictures (picture, large, factor);
  }
  if (features != NULL) {
    const SrganPicture *others[] = {bicubic, large};
    gdouble distances[2];

    if (!measure_distances (picture, others, factor, distances, error))
      return FALSE;
    row->bicubic_distance = distances[0];
    row->distance = large != NULL ? distances[1] : distances[0];
  }
  if (to != NULL) {
    g_autofree gchar *name = g_strconcat (stem, ".png", NULL);
    g_autofree gchar *file = g_build_filename (to, name, NULL);

    if (!srgan_picture_save (large != NULL ? large : bicubic, file, error))
      return FALSE;
  }
  row->name = g_steal_pointer (&stem);
  return TRUE;
}

static void
add_score (
    JsonBuilder *builder, const gchar *name, SrganScore score, gdouble distance)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  tool_json_add_number (builder, "psnr", score.psnr);
  tool_json_add_number (builder, "ssim", score.ssim);
  if (features != NULL)
    tool_json_add_number (builder, "perceptual-distance", distance);
  json_builder_end_object (builder);
}

static void
print_json (const gchar *name, guint factor, gboolean has_network, GArray *rows,
    const Row *mean)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  tool_json_add_string (builder, "model", name);
  tool_json_add_count (builder, "scale", factor);
  json_builder_set_member_name (builder, "pictures");
  json_builder_begin_array (builder);
  for (guint i = 0; i <= rows->len; i++) {
    const Row *row = i < rows->len ? &g_array_index (rows, Row, i) : mean;

    if (i == rows->len) {
      json_builder_end_array (builder);
      json_builder_set_member_name (builder, "mean");
    }
    json_builder_begin_object (builder);
    if (i < rows->len)
      tool_json_add_string (builder, "name", row->name);
    if (has_network)
      add_score (builder, "network", row->score, row->distance);
    add_score (builder, "bicubic", row->bicubic, row->bicubic_distance);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
  tool_json_print (builder);
}

static gchar *
distance_to_text (gdouble distance)
{
  return features != NULL ? g_strdup_printf ("%.4f", distance) : NULL;
}

static void
add_row (
    ToolTable *table, const gchar *name, gboolean has_network, const Row *row)
{
  tool_table_add (table, g_strdup (name),
      has_network ? g_strdup_printf ("%.3f dB", row->score.psnr) : NULL,
      has_network ? g_strdup_printf ("%.4f", row->score.ssim) : NULL,
      has_network ? distance_to_text (row->distance) : NULL,
      g_strdup_printf ("%.3f dB", row->bicubic.psnr),
      g_strdup_printf ("%.4f", row->bicubic.ssim),
      distance_to_text (row->bicubic_distance));
}

static void
print_table (gboolean has_network, GArray *rows, const Row *mean)
{
  ToolTable *table = tool_table_new ("lrrrrrr");
  const gchar *distance = features != NULL ? "distance" : "";
  g_autofree gchar *name = g_strdup_printf ("mean of %u", rows->len);

  tool_table_add (table, NULL, g_strdup (has_network ? "network" : ""),
      g_strdup (has_network ? "SSIM" : ""),
      g_strdup (has_network ? distance : ""), g_strdup ("bicubic"),
      g_strdup ("SSIM"), g_strdup (distance));
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index (rows, Row, i);

    add_row (table, row->name, has_network, row);
  }
  add_row (table, name, has_network, mean);
  tool_table_print (table);
}

static gchar *folder, *model, *save, *precision_name, *features_name, *layers;
static gchar *clip, *against;
static gint scale, n_threads, crf = 23, n_frames;
static gboolean as_json;

static const GOptionEntry entries[] = {
    {"hr", 'r', 0, G_OPTION_ARG_FILENAME, &folder, "The pictures to score with",
        "FOLDER"},
    {"scale", 's', 0, G_OPTION_ARG_INT, &scale,
        "2, 3 or 4 (without: the model's, else 2)", "S"},
    {"model", 'm', 0, G_OPTION_ARG_FILENAME, &model,
        "A built-in's name or a file; without: bicubic", "MODEL"},
    {"save", 0, 0, G_OPTION_ARG_FILENAME, &save,
        "Also write what was scored, as PNG", "FOLDER"},
    {"precision", 'p', 0, G_OPTION_ARG_STRING, &precision_name,
        "What to compute in: auto (the default), fp32, int8 or bf16",
        "PRECISION"},
    {"features", 'f', 0, G_OPTION_ARG_FILENAME, &features_name,
        "Also print the perceptual distance by this feature network, as "
        "LPIPS has it but with every channel alike; no distance of people's",
        "MODEL"},
    {"feature-layers", 0, 0, G_OPTION_ARG_STRING, &layers,
        "Its layers that are compared, with ; between (without: the model's "
        "note, else those before each reduction, and the last)",
        "NAMES"},
    {"threads", 't', 0, G_OPTION_ARG_INT, &n_threads, "Threads; 0: all CPUs",
        "N"},
    {"clip", 'c', 0, G_OPTION_ARG_FILENAME, &clip,
        "Instead of pictures: a video, which goes through x264", "FILE"},
    {"crf", 0, 0, G_OPTION_ARG_INT, &crf,
        "--clip: x264's constant rate factor (without: 23)", "N"},
    {"against", 'a', 0, G_OPTION_ARG_FILENAME, &against,
        "--clip: another network to compare with", "MODEL"},
    {"frames", 0, 0, G_OPTION_ARG_INT, &n_frames,
        "--clip: only its first N frames", "N"},
    {"json", 'j', 0, G_OPTION_ARG_NONE, &as_json,
        "Print JSON for other programs", NULL},
    {NULL},
};

/* --clip: @network may be NULL. */
static gint
evaluate_clip (SrganNetwork *network)
{
  g_autoptr (SrganNetwork) other = NULL;
  g_autofree gchar *note = NULL;
  ToolClipSettings settings = {.path = clip,
      .crf = (guint) crf,
      .n_frames = (guint) n_frames,
      .scale = (guint) scale,
      .threads = (guint) n_threads,
      .precision = precision};
  SrganNetwork *networks[2];
  const gchar *names[4];
  SrganScore scores[4];
  guint n = 0, done;
  GError *error = NULL;

  if (against != NULL) {
    other = srgan_network_open (against, (guint) scale, &note, &error);
    if (other == NULL)
      return tool_fail (error);
    if (note != NULL)
      tool_warn ("%s", note);
  }
  if (network != NULL)
    networks[n++] = network;
  if (other != NULL)
    networks[n++] = other;
  for (guint i = 0; i < n; i++)
    names[i] = srgan_network_get_name (networks[i]);
  names[n] = "Lanczos";
  names[n + 1] = "bicubic";
  done = tool_score_clip (&settings, networks, n, scores, &error);
  if (done == 0)
    return tool_fail (error);
  if (as_json) {
    g_autoptr (JsonBuilder) builder = json_builder_new ();

    json_builder_begin_object (builder);
    tool_json_add_string (builder, "clip", clip);
    tool_json_add_count (builder, "scale", settings.scale);
    tool_json_add_count (builder, "crf", settings.crf);
    tool_json_add_count (builder, "frames", done);
    for (guint i = 0; i < n + 2; i++)
      add_score (builder, names[i], scores[i], NAN);
    json_builder_end_object (builder);
    tool_json_print (builder);
  } else {
    ToolTable *table = tool_table_new ("lrr");

    tool_table_add (table, g_strdup_printf ("mean of %u frames", done),
        g_strdup ("PSNR-Y"), g_strdup ("SSIM"));
    for (guint i = 0; i < n + 2; i++)
      tool_table_add (table, g_strdup (names[i]),
          g_strdup_printf ("%.3f dB", scores[i].psnr),
          g_strdup_printf ("%.4f", scores[i].ssim));
    tool_table_print (table);
  }
  return tool_finish ();
}

int
main (int argc, char **argv)
{
  g_autoptr (SrganNetwork) network = NULL;
  g_autoptr (GPtrArray) paths = NULL;
  g_autoptr (GArray) rows = NULL;
  g_autofree gchar *note = NULL;
  Row mean = {0};
  GError *error = NULL;

  tool_parse (&argc, &argv, "srgan-eval", NULL,
      "Scores a network: pictures are reduced (bicubic, as MATLAB does),\n"
      "enlarged again and compared with what they were: PSNR and SSIM of the\n"
      "luma, beside those of bicubic enlargement.",
      "Examples:\n  srgan-eval --scale 2 --model fast-clean --hr Set5\n"
      "  srgan-eval --model fast-video --against fast-clean --clip FILE --crf "
      "28",
      entries, 0, 0);
  if (folder == NULL && clip == NULL)
    tool_usage_error ("no pictures: name their folder with --hr, or a video "
                      "with --clip");
  if (clip != NULL && (folder != NULL || save != NULL))
    tool_usage_error ("--clip does not go together with --hr or --save");
  if (clip == NULL && against != NULL)
    tool_usage_error ("--against needs --clip");
  if (crf < 0 || crf > 50)
    tool_usage_error ("--crf takes 0 to 50, not %d", crf);
  if (n_frames < 0)
    tool_usage_error ("--frames takes 0 (all) or more, not %d", n_frames);
  if (scale != 0 && (scale < 2 || scale > 4))
    tool_usage_error ("--scale takes 2, 3 or 4, not %d", scale);
  for (guint i = 0; precision_name != NULL; i++) {
    if (i == SRGAN_N_PRECISIONS)
      tool_usage_error ("--precision takes auto, fp32, int8 or bf16, not '%s'",
          precision_name);
    precision = (SrganPrecision) i;
    if (strcmp (precision_name, srgan_precision_to_string (precision)) == 0)
      break;
  }
  if (n_threads < 0)
    tool_usage_error ("--threads takes 0 or more, not %d", n_threads);
  if (model != NULL && strcmp (model, "bicubic") != 0) {
    network = srgan_network_open (model, (guint) scale, &note, &error);
    if (network == NULL)
      return tool_fail (error);
    if (note != NULL)
      tool_warn ("%s", note);
    scale = (gint) srgan_network_get_scale (network);
    if (scale < 2) {
      tool_warn ("%s does not enlarge: there is nothing to compare", model);
      return TOOL_EXIT_FAILED;
    }
  }
  if (scale == 0)
    scale = 2;
  if (clip != NULL)
    return evaluate_clip (network);

  if (features_name != NULL) {
    g_autoptr (SrganNetwork) judge =
        srgan_network_open (features_name, 0, NULL, &error);

    if (judge != NULL)
      features = srgan_features_new (
          judge, layers != NULL ? layers : "", 0, 0, SRGAN_COLOUR_RGB, &error);
    if (features == NULL)
      return tool_fail (error);
  }

  paths = srgan_picture_list (folder, 0, &error);
  if (paths == NULL)
    return tool_fail (error);
  if (save != NULL && g_mkdir_with_parents (save, 0777) != 0) {
    tool_warn ("cannot make the folder %s: %s", save, g_strerror (errno));
    return TOOL_EXIT_FAILED;
  }

  rows = g_array_new (FALSE, TRUE, sizeof (Row));
  g_array_set_clear_func (rows, row_clear);
  for (guint i = 0; i < paths->len; i++) {
    Row row = {0};

    if (evaluate (paths->pdata[i], (guint) scale, network, (guint) n_threads,
            save, &row, &error)) {
      g_array_append_val (rows, row);
    } else {
      tool_warn ("left out: %s", error->message);
      g_clear_error (&error);
    }
  }
  if (rows->len == 0) {
    tool_warn (
        "none of the %u pictures in %s could be scored", paths->len, folder);
    return TOOL_EXIT_FAILED;
  }
  for (guint i = 0; i < rows->len; i++) {
    const Row *row = &g_array_index (rows, Row, i);

    mean.score.psnr += row->score.psnr / rows->len;
    mean.score.ssim += row->score.ssim / rows->len;
    mean.bicubic.psnr += row->bicubic.psnr / rows->len;
    mean.bicubic.ssim += row->bicubic.ssim / rows->len;
    mean.distance += row->distance / rows->len;
    mean.bicubic_distance += row->bicubic_distance / rows->len;
  }
  if (as_json)
    print_json (network != NULL ? srgan_network_get_name (network) : "bicubic",
        (guint) scale, network != NULL, rows, &mean);
  else
    print_table (network != NULL, rows, &mean);
  /* a mean over less than was asked for must not pass for the whole */
  return rows->len < paths->len ? TOOL_EXIT_FAILED : tool_finish ();
}

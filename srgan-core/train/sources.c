/* train: where originals come from.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/sources.h"

#include <math.h>
#include <string.h>

#include "train/clip.h"
#include "train/picture.h"

/* What one second of video shows, the next still does: what is held back of a
 * file is so many seconds at least. */
#define SEGMENT_SECONDS 30

/* But of a single file in so many parts. */
#define SEGMENTS_OF_ONE 10

/* Microseconds between two lines on how far reading is, and before the first.
 */
#define PATIENCE (5 * G_USEC_PER_SEC)
#define FIRST_PATIENCE G_USEC_PER_SEC

typedef enum {
  SOURCE_PICTURE,
  SOURCE_PAIR,
  SOURCE_CLIP,
} SourceKind;

typedef struct {
  SourceKind kind;
  gchar *path;
  gchar *input;     /* of a pair: the smaller picture */
  gdouble duration; /* of a clip, in seconds */
  guint n_segments; /* of a clip: each is held back whole or not at all */
  gboolean unusable;
} Source;

/* Which side of the dataset a folder's pictures go to. */
typedef enum {
  READ_BY_LOT, /* a share is held back */
  READ_FOR_TRAINING,
  READ_FOR_VALIDATION,
} ReadTo;

typedef struct {
  const SrganRecipe *recipe;
  GArray *training;
  GArray *validation;
  guint n_left_out; /* files */
  guint channels;
  guint smallest; /* side of an original */
  gdouble held_back_below;
  GCancellable *cancellable;
  SrganDatasetMessageFunc message;
  gpointer user_data;
  gint64 next_told;
} Reader;

static void
source_clear (gpointer source)
{
  g_free (((Source *) source)->path);
  g_free (((Source *) source)->input);
}

static GArray *
new_sources (void)
{
  GArray *sources = g_array_new (FALSE, FALSE, sizeof (Source));

  g_array_set_clear_func (sources, source_clear);
  return sources;
}

static void tell (const Reader *reader, const gchar *format, ...)
    G_GNUC_PRINTF (2, 3);

static void
tell (const Reader *reader, const gchar *format, ...)
{
  g_autofree gchar *text = NULL;
  va_list arguments;

  if (reader->message == NULL)
    return;
  va_start (arguments, format);
  text = g_strdup_vprintf (format, arguments);
  va_end (arguments);
  reader->message (text, reader->user_data);
}

/* Tells how far reading is, now and then. */
static void
tell_progress (Reader *reader, const gchar *what, guint done, guint n)
{
  gint64 now = g_get_monotonic_time ();

  if (now < reader->next_told)
    return;
  reader->next_told = now + PATIENCE;
  tell (reader, "reading: %u of %u %s", done, n, what);
}

/* Names @reason's file as left out; takes @reason. */
static void
leave_out (Reader *reader, GError *reason)
{
  reader->n_left_out++;
  tell (reader, "left out: %s", reason->message);
  g_error_free (reason);
}

static gboolean
is_cancelled (const Reader *reader, GError **error)
{
  if (!g_cancellable_is_cancelled (reader->cancellable))
    return FALSE;
  g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED,
      "stopped while the pictures were read");
  return TRUE;
}

/* A hash of a file's name without the _NUMBER that tells crops of one source
 * apart, so that no source is on both sides. */
static guint64
hash_name (const gchar *path)
{
  g_autofree gchar *stem = g_path_get_basename (path);
  gchar *end = strrchr (stem, '.');
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325); /* FNV-1a */

  if (end == NULL)
    end = stem + strlen (stem);
  for (gchar *digit = end; digit > stem; digit--)
    if (digit[-1] == '_') {
      if (digit < end)
        end = digit - 1;
      break;
    } else if (!g_ascii_isdigit (digit[-1])) {
      break;
    }
  for (const gchar *c = stem; c < end; c++)
    hash = (hash ^ (guint8) *c) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}

/* A number, 0 .. 1, that says whether a picture, or a segment of a clip, is
 * held back. */
static gdouble
draw_lot (const gchar *path, guint segment)
{
  SrganRandom random = srgan_random_init (hash_name (path), segment, 0);

  return srgan_random_unit (&random);
}

static gboolean
is_held_back (
    const Reader *reader, const Source *source, guint segment, ReadTo to)
{
  return to == READ_BY_LOT
             ? draw_lot (source->path, segment) < reader->held_back_below
             : to == READ_FOR_VALIDATION;
}

static gboolean
is_full (const Reader *reader)
{
  return reader->validation->len >= reader->recipe->validation_pictures;
}

/* --- What there is ------------------------------------------------------ */

/* FALSE: it cannot be played. */
static gboolean
add_clip (GArray *sources, const gchar *path, GError **error)
{
  g_autoptr (SrganClip) clip = srgan_clip_open (path, SRGAN_CODEC_420, error);
  Source source = {.kind = SOURCE_CLIP, .n_segments = 1};

  if (clip == NULL)
    return FALSE;
  source.duration = srgan_clip_get_duration (clip);
  if (source.duration <= 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_READ,
        "%s does not say how long it is: copy it into another file "
        "(... ! matroskamux ! filesink), which does",
        path);
    return FALSE;
  }
  source.n_segments = MAX ((guint) (source.duration / SEGMENT_SECONDS), 1);
  source.path = g_strdup (path);
  g_array_append_val (sources, source);
  return TRUE;
}

/* All of a folder, or a file, which is a video. */
static gboolean
list_folder (
    Reader *reader, const gchar *folder, GArray *sources, GError **error)
{
  g_autoptr (GPtrArray) paths = NULL;

  if (g_file_test (folder, G_FILE_TEST_IS_REGULAR))
    return add_clip (sources, folder, error);
  paths = srgan_picture_list (
      folder, SRGAN_LIST_RECURSIVE | SRGAN_LIST_CLIPS, error);
  if (paths == NULL)
    return FALSE;
  for (guint i = 0; i < paths->len; i++) {
    GError *cause = NULL;

    if (is_cancelled (reader, error))
      return FALSE;
    if (srgan_clip_is_name (paths->pdata[i])) {
      if (!add_clip (sources, paths->pdata[i], &cause))
        leave_out (reader, cause);
    } else {
      Source source = {
          .kind = SOURCE_PICTURE, .path = g_strdup (paths->pdata[i])};

      g_array_append_val (sources, source);
    }
  }
  return TRUE;
}

/* @path's name within @folder, without its ending. (transfer full) */
static gchar *
get_name_within (const gchar *path, const gchar *folder)
{
  const gchar *name = path + strlen (folder);
  const gchar *dot = strrchr (name, '.');

  while (*name == G_DIR_SEPARATOR)
    name++;
  return dot != NULL && dot > name ? g_strndup (name, dot - name)
                                   : g_strdup (name);
}

/* @folder without separators at its end, which its files' paths do not have
 * twice. (transfer full) */
static gchar *
trim_folder (const gchar *folder)
{
  gsize length = strlen (folder);

  while (length > 1 && folder[length - 1] == G_DIR_SEPARATOR)
    length--;
  return g_strndup (folder, length);
}

/* The pictures of @large with their namesakes in @small, "NAMExSCALE" being one
 * of NAME, too. */
static gboolean
list_pairs (Reader *reader, const gchar *small_folder,
    const gchar *large_folder, GArray *sources, GError **error)
{
  g_autofree gchar *small = trim_folder (small_folder);
  g_autofree gchar *large = trim_folder (large_folder);
  g_autoptr (GPtrArray) inputs =
      srgan_picture_list (small, SRGAN_LIST_RECURSIVE, error);
  g_autoptr (GPtrArray) targets = NULL;
  g_autoptr (GHashTable) by_name = NULL;

  if (inputs == NULL)
    return FALSE;
  targets = srgan_picture_list (large, SRGAN_LIST_RECURSIVE, error);
  if (targets == NULL)
    return FALSE;
  by_name = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < inputs->len; i++) {
    g_autofree gchar *name = get_name_within (inputs->pdata[i], small);

    if (g_hash_table_contains (by_name, name))
      leave_out (reader,
          g_error_new (SRGAN_ERROR, SRGAN_ERROR_INVALID,
              "%s: there is another of its name", (gchar *) inputs->pdata[i]));
    else
      g_hash_table_insert (by_name, g_steal_pointer (&name), inputs->pdata[i]);
  }
  for (guint i = 0; i < targets->len; i++) {
    g_autofree gchar *name = get_name_within (targets->pdata[i], large);
    g_autofree gchar *scaled =
        g_strdup_printf ("%sx%u", name, reader->recipe->scale);
    const gchar *key = g_hash_table_contains (by_name, name) ? name : scaled;
    Source source = {.kind = SOURCE_PAIR};

    source.input = g_strdup (g_hash_table_lookup (by_name, key));
    if (source.input == NULL) {
      leave_out (reader, g_error_new (SRGAN_ERROR, SRGAN_ERROR_INVALID,
                             "%s has no picture of its name in %s",
                             (gchar *) targets->pdata[i], small));
      continue;
    }
    g_hash_table_remove (by_name, key);
    source.path = g_strdup (targets->pdata[i]);
    g_array_append_val (sources, source);
  }
  /* in their order, not the table's */
  for (guint i = 0; i < inputs->len; i++) {
    g_autofree gchar *name = get_name_within (inputs->pdata[i], small);

    if (g_hash_table_lookup (by_name, name) == inputs->pdata[i])
      leave_out (reader, g_error_new (SRGAN_ERROR, SRGAN_ERROR_INVALID,
                             "%s has no picture of its name in %s",
                             (gchar *) inputs->pdata[i], large));
  }
  return TRUE;
}

static gboolean
list_training (Reader *reader, GArray *sources, GError **error)
{
  g_auto (GStrv) folders = g_strsplit (reader->recipe->pairs, ";", -1);
  Source *only;

  if (reader->recipe->folder[0] != '\0' &&
      !list_folder (reader, reader->recipe->folder, sources, error))
    return FALSE;
  for (guint i = 0; folders[0] != NULL && folders[i] != NULL; i += 2)
    if (!list_pairs (reader, folders[i], folders[i + 1], sources, error))
      return FALSE;
  only = &g_array_index (sources, Source, 0);
  if (sources->len == 1 && only->kind == SOURCE_CLIP)
    only->n_segments = MAX (only->n_segments, SEGMENTS_OF_ONE);
  return TRUE;
}

/* --- Reading ------------------------------------------------------------ */

static void
add_original (Reader *reader, const SrganOriginal *original, gboolean held_back)
{
  g_array_append_vals (
      held_back ? reader->validation : reader->training, original, 1);
}

static gboolean
read_picture (Reader *reader, const Source *source, ReadTo to, GError **error)
{
  gboolean held_back = is_held_back (reader, source, 0, to);
  SrganOriginal original;

  if (held_back && is_full (reader))
    return TRUE;
  if (!(source->kind == SOURCE_PAIR
              ? srgan_original_read_pair (&original, source->path,
                    source->input, reader->channels, reader->recipe->scale,
                    reader->smallest, error)
              : srgan_original_read (&original, source->path, reader->channels,
                    reader->smallest, error)))
    return FALSE;
  add_original (reader, &original, held_back);
  return TRUE;
}

/* Whether frame @i of @n is of use. Within a second, or a segment where that is
 * shorter, of what is held back a frame is on neither side. */
static gboolean
is_wanted (const Reader *reader, const Source *source, guint i, guint n,
    ReadTo to, gboolean *held_back)
{
  guint segments = MIN (source->n_segments, n);
  guint second = (guint) ceil (n / source->duration);
  guint reach = MAX (MIN (second, n / segments), 1);

  *held_back = is_held_back (reader, source, i * segments / n, to);
  if (*held_back)
    return !is_full (reader);
  for (guint k = i - MIN (i, reach); k <= MIN (i + reach, n - 1); k++)
    if (is_held_back (reader, source, k * segments / n, to))
      return FALSE;
  return TRUE;
}

static gboolean
read_clip (Reader *reader, const Source *source, ReadTo to, GError **error)
{
  const SrganRecipe *recipe = reader->recipe;
  g_autoptr (SrganClip) clip = srgan_clip_open (source->path,
      reader->channels == 1 ? SRGAN_CODEC_420 : SRGAN_CODEC_RGB, error);
  g_autofree gchar *name = g_path_get_basename (source->path);
  g_autofree gchar *what = g_strdup_printf ("frames of %s", name);
  guint n = recipe->video_frames, width, height, n_read = 0;
  gboolean ended = FALSE;
  GError *cause = NULL;

  if (clip == NULL)
    return FALSE;
  width = srgan_clip_get_width (clip);
  height = srgan_clip_get_height (clip);
  if (MIN (width, height) < reader->smallest) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "%s is %ux%u: a patch needs %ux%u", source->path, width, height,
        reader->smallest, reader->smallest);
    return FALSE;
  }
  if (to == READ_FOR_VALIDATION)
    n = MIN (n, recipe->validation_pictures);
  for (guint i = 0; i < n; i++) {
    SrganRandom random = srgan_random_init (hash_name (source->path), i, 1);
    gdouble time = (i + .5) / n * source->duration;
    g_autofree guint8 *frame = NULL;
    SrganOriginal original;
    gboolean held_back;

    /* a clip of few frames has none between two of ours */
    if (time <= srgan_clip_get_time (clip) ||
        !is_wanted (reader, source, i, n, to, &held_back))
      continue;
    if (g_cancellable_is_cancelled (reader->cancellable))
      return TRUE;
    frame = srgan_clip_read_at (clip, time, &cause);
    if (frame == NULL) {
      ended = TRUE;
      break;
    }
    srgan_original_take (&original, frame, width, height, reader->channels,
        srgan_clip_is_full_range (clip),
        MAX (recipe->video_crop, reader->smallest), &random);
    add_original (reader, &original, held_back);
    n_read++;
    tell_progress (reader, what, i + 1, n);
  }
  /* of a whole one the last frame is no more than that from the end */
  if (cause == NULL && ended &&
      srgan_clip_get_time (clip) < source->duration * .95 - 1)
    g_set_error (&cause, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
        "the video %s ends at second %.1f of %.1f", source->path,
        MAX (srgan_clip_get_time (clip), 0), source->duration);
  if (cause != NULL && n_read > 0) {
    g_prefix_error (&cause, "the rest after %u frames: ", n_read);
    leave_out (reader, g_steal_pointer (&cause));
  }
  if (cause != NULL)
    g_propagate_error (error, cause);
  return cause == NULL;
}

static gboolean
read_sources (Reader *reader, GArray *sources, ReadTo to, GError **error)
{
  gdouble lowest = 1;

  /* of a few pictures one at least is held back */
  for (guint i = 0; i < sources->len; i++) {
    const Source *source = &g_array_index (sources, Source, i);

    for (guint s = 0; s < MAX (source->n_segments, 1); s++)
      if (!source->unusable)
        lowest = MIN (lowest, draw_lot (source->path, s));
  }
  reader->held_back_below = MAX (reader->recipe->held_back, lowest + 1e-9);

  for (guint i = 0; i < sources->len; i++) {
    Source *source = &g_array_index (sources, Source, i);
    GError *cause = NULL;

    if (is_cancelled (reader, error))
      return FALSE;
    if (source->unusable)
      continue;
    source->unusable = !(source->kind == SOURCE_CLIP
                             ? read_clip (reader, source, to, &cause)
                             : read_picture (reader, source, to, &cause));
    if (source->unusable)
      leave_out (reader, cause);
    tell_progress (reader, "files", i + 1, sources->len);
  }
  return !is_cancelled (reader, error);
}

/* What was looked at, for errors. (transfer full) */
static gchar *
describe_places (const SrganRecipe *recipe)
{
  if (recipe->folder[0] == '\0')
    return g_strdup (recipe->pairs);
  if (recipe->pairs[0] == '\0')
    return g_strdup (recipe->folder);
  return g_strdup_printf ("%s and %s", recipe->folder, recipe->pairs);
}

gboolean
srgan_sources_read (const SrganRecipe *recipe, GArray *training,
    GArray *validation, guint *n_left_out, GCancellable *cancellable,
    SrganDatasetMessageFunc message, gpointer user_data, GError **error)
{
  Reader reader = {
      .recipe = recipe,
      .training = training,
      .validation = validation,
      .channels = srgan_recipe_get_channels (recipe),
      .smallest = recipe->patch * recipe->scale,
      .cancellable = cancellable,
      .message = message,
      .user_data = user_data,
      .next_told = g_get_monotonic_time () + FIRST_PATIENCE,
  };
  g_autoptr (GArray) sources = new_sources ();
  g_autoptr (GArray) others = new_sources ();
  g_autofree gchar *places = describe_places (recipe);
  ReadTo to = READ_BY_LOT;

  if (!list_training (&reader, sources, error))
    return FALSE;
  if (recipe->validation_folder[0] != '\0') {
    to = READ_FOR_TRAINING;
    if (!list_folder (&reader, recipe->validation_folder, others, error) ||
        !read_sources (&reader, others, READ_FOR_VALIDATION, error))
      return FALSE;
  }
  if (!read_sources (&reader, sources, to, error))
    return FALSE;
  if (training->len > 0 && validation->len == 0 && to == READ_BY_LOT) {
    /* the lot fell on what cannot be used: on others, then */
    g_array_set_size (training, 0);
    if (!read_sources (&reader, sources, to, error))
      return FALSE;
  }

  *n_left_out = reader.n_left_out;
  if (training->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "no picture of %s can be trained on: %u files could not be used or are "
        "smaller than %ux%u (data.patch x network.scale), %u pictures are held "
        "back",
        places, reader.n_left_out, reader.smallest, reader.smallest,
        validation->len);
    return FALSE;
  }
  if (validation->len == 0) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID,
        "no picture of %s is left to choose the weights by: those held back "
        "could not be used or are smaller than %ux%u; raise data.held-back, or "
        "name others in validation.folder",
        recipe->validation_folder[0] != '\0' ? recipe->validation_folder
                                             : places,
        reader.smallest, reader.smallest);
    return FALSE;
  }
  return TRUE;
}

/* srgan-upscale: the GStreamer pipeline from one file to another.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/gst.h>
#include <gst/pbutils/pbutils.h>

G_BEGIN_DECLS

/* A kind of file that can be written. */
typedef struct {
  const gchar *extension;
  const gchar *caps;  /* the container's or picture's media type */
  const gchar *muxer; /* element names from here on; NULL: a picture */
  const gchar *video_encoder;
  const gchar *audio_encoder;
} ConversionFormat;

gboolean conversion_format_is_picture (const ConversionFormat *format);

/* The format that a name's extension asks for, or NULL. */
const ConversionFormat *conversion_format_of_name (const gchar *name);

/* The format for what was found in a file: the same where we write it, else
 * the first of its sort (film or picture). */
const ConversionFormat *conversion_format_like (GstDiscovererInfo *info);

/* "mp4 m4v ...", for messages. */
gchar *conversion_list_extensions (gboolean pictures);

/* Whether what was found is one picture. */
gboolean conversion_is_picture (GstDiscovererInfo *info);

typedef struct {
  gchar *preset; /* the element's properties; NULL: its default */
  gchar *tune;
  gchar *model;
  gint scale;
  gint n_threads;
  gint crf;              /* x264's constant rate factor, 0 .. 51 */
  gchar *x264_preset;    /* "veryfast" ... */
  gint jpeg_quality;     /* 1 .. 100 */
  gboolean keep_a_frame; /* for conversion_get_kept() */
} ConversionSettings;

typedef struct _Conversion Conversion;

/**
 * conversion_new:
 * @input: path of the file to read
 * @info: what the discoverer found in it
 * @output: path of the file to write
 *
 * Builds the pipeline. It posts application messages named "note" (field
 * "text") about whatever does not pass as it was, each once, and one named
 * "started" with the first upscaled frame.
 *
 * Returns: (transfer full): a pipeline yet to be started, or %NULL with @error
 *   naming the element or setting that is at fault
 */
Conversion *conversion_new (const gchar *input, GstDiscovererInfo *info,
    const gchar *output, const ConversionFormat *format,
    const ConversionSettings *settings, GError **error);

/* Stops the pipeline and frees everything. */
void conversion_free (Conversion *conversion);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Conversion, conversion_free)

/* Both owned by the conversion. */
GstElement *conversion_get_pipeline (Conversion *conversion);
GstElement *conversion_get_upscaler (Conversion *conversion);

/* Whether @object, the source of an error, is what writes the result. */
gboolean conversion_is_writer (Conversion *conversion, GstObject *object);

typedef struct {
  guint64 n_frames;   /* upscaled so far */
  GstClockTime time;  /* the last one's, from the film's start */
  gint64 started_at;  /* when the first came, of g_get_monotonic_time() */
  gint width, height; /* what comes out */
} ConversionProgress;

void conversion_get_progress (
    Conversion *conversion, ConversionProgress *progress);

/* The frame from the film's middle, before and after: FALSE where none was
 * kept; unref both. */
gboolean conversion_get_kept (
    Conversion *conversion, GstSample **before, GstSample **after);

G_END_DECLS

/* gst-srgan: srganupscale, an element that enlarges video with a network.
 *
 * The network, and every loop over pixels, is srgan-core's. This file tells
 * GStreamer what can be done (caps, pools, metas, latency) and hands mapped
 * frames over. See caps.c for sizes and formats, layout.c for the pixels.
 *
 * Where the bytes go: upstream writes a frame into a buffer of the pool that
 * we proposed (or of its own). We map it for reading, and map for writing a
 * buffer of the pool that downstream proposed (or of our own). The engine reads
 * rows of the one and writes rows of the other; between the two lie only the
 * few rows of feature maps of its workspace. No whole frame is copied anywhere,
 * and the output is never read back: it may lie in memory where that is slow.
 *
 * Threads: properties may be set from any thread, under the object lock. The
 * streaming thread takes them up between two frames (and start() does before
 * the first), opens the network and makes the plan; network and plan are its
 * own. What queries from other threads need of the outcome (factor, scaling,
 * latency, statistics) is kept under the object lock again.
 *
 * SPDX-License-Identifier: MIT
 */

/**
 * SECTION:element-srganupscale
 * @title: srganupscale
 * @short_description: enlarges video 2, 3 or 4 times with a trained network
 *
 * srganupscale puts out the video that it is given, 2, 3 or 4 times as wide and
 * high, with detail restored by a small neural network that runs on the CPU.
 * The networks are built in: nothing is downloaded, and no GPU is needed.
 *
 * #srganupscale:preset chooses how much work a frame is worth and
 * #srganupscale:tune what kind of picture to expect; #srganupscale:model names
 * a network directly, by its built-in name or as a `.safetensors` file.
 * #srganupscale:scale is 2 where nothing else says otherwise. All of them may
 * be changed while the pipeline plays: they apply from the next frame on.
 *
 * Frames of 8-bit YUV, RGB and grey formats are taken as they lie; other
 * formats need `videoconvert` in front and interlaced video `deinterlace`. The
 * element says so in an error message when they are missing. Colorimetry,
 * chroma siting, pixel aspect ratio, timestamps and alpha are kept. With
 * `scale=1` every frame passes untouched, whatever its format.
 *
 * On a live pipeline the time that a frame takes is reported as latency. When
 * frames take longer than they last, one message says so and names a preset
 * that can keep up: a warning where the pipeline is live or a sink has sent QoS
 * events, so that frames are being lost, and else (a file being converted, say)
 * an info message. #srganupscale:stats has the times themselves.
 *
 * ## Errors
 *
 * * %GST_RESOURCE_ERROR_NOT_FOUND: #srganupscale:model names no file and no
 *   built-in network
 * * %GST_RESOURCE_ERROR_READ: the model file cannot be read
 * * %GST_RESOURCE_ERROR_SETTINGS: properties contradict each other
 *   (#srganupscale:scale and the network's own scale)
 * * %GST_STREAM_ERROR_WRONG_TYPE: the model file is damaged, or in a format
 *   that must be converted first
 * * %GST_LIBRARY_ERROR_INIT: the network cannot be run by this build
 * * %GST_CORE_ERROR_NEGOTIATION: the video cannot be scaled as it comes
 *   (interlaced, another format, too large)
 * * %GST_LIBRARY_ERROR_FAILED: the memory of a frame cannot be used
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 videotestsrc pattern=smpte ! video/x-raw,width=320,height=240
 *     ! srganupscale ! videoconvert ! autovideosink
 * ]| A test picture, twice as large.
 * |[
 * gst-launch-1.0 filesrc location=in.mp4 ! decodebin ! videoconvert
 *     ! srganupscale preset=fast scale=2 ! videoconvert ! x264enc ! mp4mux
 *     ! filesink location=out.mp4
 * ]| A file, converted.
 * |[
 * gst-launch-1.0 v4l2src ! videoconvert ! queue leaky=downstream
 *     max-size-buffers=2 ! srganupscale preset=nano ! videoconvert
 *     ! autovideosink
 * ]| A camera, live: frames that come too fast are left out before they cost
 * anything.
 *
 * Since: 0.1
 */
#include "gstsrganupscale.h"

#include <string.h>
#include <srgan/srgan.h>

#include "caps.h"
#include "frame-times.h"
#include "layout.h"
#include "metas.h"

GST_DEBUG_CATEGORY_STATIC (gst_srgan_upscale_debug);
#define GST_CAT_DEFAULT gst_srgan_upscale_debug

#define DEFAULT_PRESET GST_SRGAN_PRESET_FAST
#define DEFAULT_TUNE GST_SRGAN_TUNE_CLEAN
#define DEFAULT_SCALE 0
#define DEFAULT_N_THREADS 0
#define DEFAULT_REUSE TRUE

#define MAX_SCALE 4
#define MAX_THREADS 256

/* As an AVX-512 register and a cache line: GstAllocationParams.align and
 * GstVideoAlignment.stride_align count so. */
#define MEMORY_ALIGNMENT 63

/* Frames whose times tell latency and pace; the first few after a change, which
 * touch memory for the first time, are not among them. */
#define PACE_WINDOW 32
#define PACE_WARM_UP 2
#define PACE_FIRST 8

enum {
  PROP_0,
  PROP_PRESET,
  PROP_TUNE,
  PROP_MODEL,
  PROP_SCALE,
  PROP_N_THREADS,
  PROP_PRECISION,
  PROP_REUSE,
  PROP_STATS,
};

typedef struct {
  GstSrganPreset preset;
  GstSrganTune tune;
  gchar *model; /* NULL: by preset and tune */
  guint scale;
  guint n_threads;
  SrganPrecision precision;
  gboolean reuse;
} Settings;

struct _GstSrganUpscale {
  GstVideoFilter parent;

  /* --- Under the object lock ------------------------------------------- */

  Settings settings;
  gboolean settings_changed; /* since the streaming thread took them up */

  /* What they came to. Only start(), stop() and the streaming thread change
   * these, so the latter reads them without the lock. */
  gboolean started;
  guint factor;     /* output size / input size */
  gboolean scaling; /* FALSE: frames pass untouched */

  gboolean live;        /* as the last LATENCY query found it */
  gboolean qos;         /* a sink has asked for frames to be skipped */
  GstClockTime latency; /* that we report */

  /* Statistics. */
  guint64 n_frames;
  guint64 n_dropped;
  gdouble reused; /* the sum of what was reused of each frame, 0 .. 1 */
  GstSrganFrameTimes times; /* of the present plan */
  gchar *model_name;
  SrganPlanReport report;

  /* --- The streaming thread's ------------------------------------------ */

  SrganNetwork *network; /* NULL when frames pass untouched */
  SrganPlan *plan;
  guint n_threads;          /* that the plan is for */
  SrganPrecision precision; /* likewise */
  gboolean reuse;           /* likewise */
  GstSrganTune tune;        /* likewise */
  gchar *note;              /* the last one posted about the network */
  GstCaps *refused;         /* the last that were, with a message */
  gboolean pace_reported;   /* that frames take too long */
  /* An overlay stays for many frames, and its rectangles are textures to
   * whoever draws them: the last one, and the same enlarged. */
  GstVideoOverlayComposition *overlay;
  GstVideoOverlayComposition *scaled_overlay;
};

#define gst_srgan_upscale_parent_class parent_class
G_DEFINE_FINAL_TYPE (GstSrganUpscale, gst_srgan_upscale, GST_TYPE_VIDEO_FILTER)
GST_ELEMENT_REGISTER_DEFINE_WITH_CODE (srganupscale, "srganupscale",
    GST_RANK_NONE, GST_TYPE_SRGAN_UPSCALE,
    GST_DEBUG_CATEGORY_INIT (gst_srgan_upscale_debug, "srganupscale", 0,
        "super-resolution upscaler"))

/* The first structure is what is scaled. The second is what scale=1 lets pass,
 * and what else may be linked: refusing such video when it comes, with a
 * message that says what to do, beats a bare "not negotiated"; see
 * gst_srgan_upscale_query(). */
#define TEMPLATE_CAPS                     \
  GST_VIDEO_CAPS_MAKE (GST_SRGAN_FORMATS) \
  ";" GST_VIDEO_CAPS_MAKE_WITH_FEATURES ("ANY", GST_VIDEO_FORMATS_ALL)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (TEMPLATE_CAPS));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (TEMPLATE_CAPS));

/* The nicks are srgan-core's words, in its order. */
GType
gst_srgan_preset_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
      {GST_SRGAN_PRESET_NANO, "For the smallest machines", "nano"},
      {GST_SRGAN_PRESET_FAST, "Video as it plays, on an ordinary CPU", "fast"},
      {GST_SRGAN_PRESET_MEDIUM, "More detail for more work", "medium"},
      {GST_SRGAN_PRESET_HIGH, "For large machines, and for files", "high"},
      {GST_SRGAN_PRESET_ULTRA, "For single pictures, and patience", "ultra"},
      {GST_SRGAN_PRESET_SRGAN, "The network of the SRGAN paper", "srgan"},
      {0, NULL, NULL},
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstSrganPreset", values));
  return type;
}

GType
gst_srgan_tune_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
      {GST_SRGAN_TUNE_CLEAN, "Small and otherwise clean pictures", "clean"},
      {GST_SRGAN_TUNE_VIDEO, "Live action as codecs leave it", "video"},
      {GST_SRGAN_TUNE_ANIMATION, "Drawn lines and flat colours", "animation"},
      {GST_SRGAN_TUNE_DETAIL, "Texture made up where it is lost", "detail"},
      {0, NULL, NULL},
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (&type, g_enum_register_static ("GstSrganTune", values));
  return type;
}

GType
gst_srgan_precision_get_type (void)
{
  static gsize type = 0;
  static const GEnumValue values[] = {
      {SRGAN_PRECISION_AUTO, "int8 or bf16 where it loses little and is faster",
          "auto"},
      {SRGAN_PRECISION_FP32, "Single precision", "fp32"},
      {SRGAN_PRECISION_INT8,
          "8-bit integers; the model must have been "
          "quantised",
          "int8"},
      {SRGAN_PRECISION_BF16,
          "bfloat16; fast where the processor has AMX's tiles", "bf16"},
      {0, NULL, NULL},
  };

  if (g_once_init_enter (&type))
    g_once_init_leave (
        &type, g_enum_register_static ("GstSrganPrecision", values));
  return type;
}

static const gchar *
enum_nick (GType type, gint value)
{
  GEnumClass *klass = g_type_class_peek_static (type);

  return g_enum_get_value (klass, value)->value_nick;
}

/* --- The network --------------------------------------------------------- */

/* Files that hold a network, but not in a form that is run here. */
static const struct {
  const gchar *ending;
  const gchar *format;
} foreign_formats[] = {
    {".onnx", "an ONNX model"},
    {".pth", "a PyTorch model"},
    {".pt", "a PyTorch model"},
    {".ckpt", "a training checkpoint"},
    {".pb", "a TensorFlow model"},
    {".index", "a TensorFlow checkpoint"},
    {".tflite", "a TensorFlow Lite model"},
    {".h5", "a Keras model"},
    {".hdf5", "a Keras model"},
    {".keras", "a Keras model"},
    {".param", "an ncnn model"},
    {".bin", "a bare file of weights"},
    {".json", "a JSON model"},
    {".rsr", "an SRGAN-Rust model"},
    {".glsl", "a shader"},
};

static void
post_foreign_model (
    GstSrganUpscale *self, const gchar *model, const gchar *format)
{
  GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE,
      ("\"%s\" is %s, which cannot be run as it is: convert it to a "
       ".safetensors file of srgan-core first: "
       "srgan-convert \"%s\" model.safetensors",
          model, format, model),
      (NULL));
}

/* Posts what is wrong with a model that goes by the name of a foreign format.
 * Returns: whether there was anything to post */
static gboolean
refuse_foreign_model (GstSrganUpscale *self, const gchar *model)
{
  gchar *graph = g_build_filename (model, "saved_model.pb", NULL);
  gboolean saved = g_file_test (graph, G_FILE_TEST_EXISTS);
  guint i;

  g_free (graph);
  if (saved) {
    post_foreign_model (self, model, "a TensorFlow SavedModel");
    return TRUE;
  }

  for (i = 0; i < G_N_ELEMENTS (foreign_formats); i++) {
    gchar *lower = g_ascii_strdown (model, -1);
    gboolean foreign = g_str_has_suffix (lower, foreign_formats[i].ending);

    g_free (lower);
    if (!foreign)
      continue;

    if (!g_file_test (model, G_FILE_TEST_EXISTS))
      GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND,
          ("There is no model file \"%s\".", model), (NULL));
    else
      post_foreign_model (self, model, foreign_formats[i].format);
    return TRUE;
  }

  return FALSE;
}

static void
post_network_error (
    GstSrganUpscale *self, const gchar *model, const GError *error)
{
  SrganError code =
      error->domain == SRGAN_ERROR ? error->code : SRGAN_ERROR_READ;

  switch (code) {
  case SRGAN_ERROR_NOT_FOUND:
    GST_ELEMENT_ERROR (self, RESOURCE, NOT_FOUND, ("%s", error->message),
        ("model \"%s\"", model));
    break;
  case SRGAN_ERROR_CORRUPT:
    GST_ELEMENT_ERROR (self, STREAM, WRONG_TYPE, ("%s", error->message),
        ("model \"%s\"", model));
    break;
  case SRGAN_ERROR_INVALID:
    GST_ELEMENT_ERROR (self, RESOURCE, SETTINGS, ("%s", error->message),
        ("model \"%s\"", model));
    break;
  case SRGAN_ERROR_UNSUPPORTED:
  case SRGAN_ERROR_TOO_LARGE:
    GST_ELEMENT_ERROR (
        self, LIBRARY, INIT, ("%s", error->message), ("model \"%s\"", model));
    break;
  default:
    GST_ELEMENT_ERROR (
        self, RESOURCE, READ, ("%s", error->message), ("model \"%s\"", model));
    break;
  }
}

/* Says once that another network is used than the one asked for. */
static void
post_note (GstSrganUpscale *self, const gchar *note)
{
  if (note && g_strcmp0 (note, self->note) != 0)
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS, ("%s", note), (NULL));

  g_free (self->note);
  self->note = g_strdup (note);
}

/* Opens the network that the properties ask for. Called when no frame is being
 * worked on. Returns: FALSE when it cannot be had; the error is posted. */
static gboolean
gst_srgan_upscale_take_settings (GstSrganUpscale *self)
{
  GError *error = NULL;
  Settings settings;
  SrganNetwork *network = NULL;
  gchar *name = NULL, *note = NULL;
  guint factor = 1;

  GST_OBJECT_LOCK (self);
  settings = self->settings;
  settings.model = g_strdup (self->settings.model);
  self->settings_changed = FALSE;
  GST_OBJECT_UNLOCK (self);

  if (settings.model && refuse_foreign_model (self, settings.model))
    goto failed;

  if (settings.model)
    name = g_strdup (settings.model);
  else if (settings.scale != 1)
    name = g_strdup_printf ("%s-%s",
        enum_nick (GST_TYPE_SRGAN_PRESET, settings.preset),
        enum_nick (GST_TYPE_SRGAN_TUNE, settings.tune));

  if (name) {
    /* A scale of 1 asks nothing of the model: it runs if its own is 1. */
    network = srgan_network_open (
        name, settings.scale == 1 ? 0 : settings.scale, &note, &error);
    if (network == NULL)
      goto open_failed;

    factor = srgan_network_get_scale (network);
    if (settings.scale == 1 && factor != 1) {
      g_clear_pointer (&network, srgan_network_unref);
      g_clear_pointer (&note, g_free);
      factor = 1;
    }
  }

  GST_DEBUG_OBJECT (self, "network %s, factor %u",
      network ? srgan_network_get_name (network) : "none", factor);
  post_note (self, note);

  g_clear_pointer (&self->plan, srgan_plan_free);
  g_clear_pointer (&self->network, srgan_network_unref);
  self->network = network;
  self->n_threads = settings.n_threads;
  self->precision = settings.precision;
  self->reuse = settings.reuse;
  self->tune = settings.tune;
  self->pace_reported = FALSE;

  GST_OBJECT_LOCK (self);
  self->factor = factor;
  self->scaling = network != NULL;
  GST_OBJECT_UNLOCK (self);

  g_free (note);
  g_free (name);
  g_free (settings.model);
  return TRUE;

  /* ERRORS */
open_failed : {
  post_network_error (self, name, error);
  g_error_free (error);
}
failed : {
  g_free (name);
  g_free (settings.model);
  return FALSE;
}
}

/* Makes the plan for frames as @info has them. Everything that a frame needs is
 * allocated here. */
static gboolean
gst_srgan_upscale_make_plan (GstSrganUpscale *self, const GstVideoInfo *info)
{
  SrganPlanSettings settings = {0};
  SrganPlanReport report = {0};
  GError *error = NULL;
  gchar *model_name = NULL;

  /* The old plan's memory can serve the new one. */
  g_clear_pointer (&self->plan, srgan_plan_free);

  if (self->network) {
    settings.width = GST_VIDEO_INFO_WIDTH (info);
    settings.height = GST_VIDEO_INFO_HEIGHT (info);
    settings.n_threads = self->n_threads;
    settings.precision = self->precision;
    settings.reuse = self->reuse;
    gst_srgan_layout_from_info (&settings.layout, info);

    self->plan = srgan_plan_new (self->network, &settings, &error);
    if (self->plan == NULL)
      goto failed;

    srgan_plan_get_report (self->plan, &report);
    report.kernels = g_intern_string (report.kernels);
    model_name = g_strdup (srgan_network_get_name (self->network));
    GST_DEBUG_OBJECT (self,
        "plan: %s kernels, %u threads, tiles of %u x %u, %" G_GSIZE_FORMAT
        " bytes of workspace",
        report.kernels, report.n_threads, report.tile_width, report.tile_height,
        report.workspace_bytes);
  }

  GST_OBJECT_LOCK (self);
  g_free (self->model_name);
  self->model_name = model_name;
  self->report = report;
  gst_srgan_frame_times_reset (&self->times);
  GST_OBJECT_UNLOCK (self);
  return TRUE;

  /* ERRORS */
failed : {
  if (g_error_matches (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE))
    GST_ELEMENT_ERROR (self, CORE, NEGOTIATION, ("%s", error->message), (NULL));
  else
    GST_ELEMENT_ERROR (self, LIBRARY, INIT, ("%s", error->message),
        ("%s on %d x %d %s", srgan_network_get_name (self->network),
            GST_VIDEO_INFO_WIDTH (info), GST_VIDEO_INFO_HEIGHT (info),
            GST_VIDEO_INFO_NAME (info)));
  g_error_free (error);
  return FALSE;
}
}

/* Takes up properties that have changed since the last frame. */
static gboolean
gst_srgan_upscale_take_changes (GstSrganUpscale *self)
{
  GstBaseTransform *trans = GST_BASE_TRANSFORM (self);
  GstVideoFilter *filter = GST_VIDEO_FILTER (self);
  guint old_factor = self->factor;
  gboolean changed;

  GST_OBJECT_LOCK (self);
  changed = self->settings_changed;
  GST_OBJECT_UNLOCK (self);
  if (G_LIKELY (!changed))
    return TRUE;

  if (!gst_srgan_upscale_take_settings (self))
    return FALSE;

  if (!filter->negotiated)
    return TRUE;

  /* Another factor means other caps, and with them comes set_info(). The base
   * class does not call it for the caps that it has; pools it asks for anew in
   * any case. */
  if (self->factor == old_factor) {
    gst_base_transform_set_passthrough (trans, !self->scaling);
    if (!gst_srgan_upscale_make_plan (self, &filter->in_info))
      return FALSE;
  }
  gst_base_transform_reconfigure_src (trans);
  return TRUE;
}

static gboolean
gst_srgan_upscale_start (GstBaseTransform *trans)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);

  if (!gst_srgan_upscale_take_settings (self))
    return FALSE;

  GST_OBJECT_LOCK (self);
  self->started = TRUE;
  self->live = FALSE;
  self->qos = FALSE;
  self->latency = 0;
  self->n_frames = 0;
  self->reused = 0;
  self->n_dropped = 0;
  gst_srgan_frame_times_reset (&self->times);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static gboolean
gst_srgan_upscale_stop (GstBaseTransform *trans)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);

  g_clear_pointer (&self->plan, srgan_plan_free);
  g_clear_pointer (&self->network, srgan_network_unref);
  g_clear_pointer (&self->overlay, gst_video_overlay_composition_unref);
  g_clear_pointer (&self->scaled_overlay, gst_video_overlay_composition_unref);
  g_clear_pointer (&self->note, g_free);
  gst_clear_caps (&self->refused);
  GST_VIDEO_FILTER (self)->negotiated = FALSE;

  GST_OBJECT_LOCK (self);
  self->started = FALSE;
  self->report.workspace_bytes = 0;
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

/* --- Caps ---------------------------------------------------------------- */

/* Returns: output size / input size, 0 while it is not known: before start()
 * has opened a model that decides it. */
static guint
gst_srgan_upscale_get_factor (GstSrganUpscale *self, gboolean *scaling)
{
  guint factor;

  GST_OBJECT_LOCK (self);
  if (self->started) {
    factor = self->factor;
    *scaling = self->scaling;
  } else if (self->settings.scale != 0) {
    factor = self->settings.scale;
    *scaling = factor != 1;
  } else {
    factor = self->settings.model ? 0 : 2;
    *scaling = TRUE;
  }
  GST_OBJECT_UNLOCK (self);

  return factor;
}

static GstCaps *
gst_srgan_upscale_transform_caps (GstBaseTransform *trans,
    GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  GstCaps *result;
  gboolean scaling;
  guint factor = gst_srgan_upscale_get_factor (self, &scaling);

  if (scaling)
    result = gst_srgan_caps_transform (caps, direction, factor);
  else
    result = gst_caps_ref (caps);

  if (filter) {
    GstCaps *common =
        gst_caps_intersect_full (filter, result, GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref (result);
    result = common;
  }

  GST_LOG_OBJECT (self,
      "%" GST_PTR_FORMAT " on the %s becomes %" GST_PTR_FORMAT, caps,
      direction == GST_PAD_SINK ? "sink" : "src", result);
  return result;
}

/* Of what is possible, that which is most like the other side. */
static GstCaps *
gst_srgan_upscale_fixate_caps (GstBaseTransform *trans,
    GstPadDirection direction, GstCaps *caps, GstCaps *othercaps)
{
  const GstStructure *structure = gst_caps_get_structure (caps, 0);
  GstCapsFeatures *features = gst_caps_get_features (caps, 0);
  const gchar *format = gst_structure_get_string (structure, "format");
  GstCaps *alike, *preferred;

  if (format) {
    alike = gst_caps_new_simple (
        "video/x-raw", "format", G_TYPE_STRING, format, NULL);
    if (features)
      gst_caps_set_features (alike, 0, gst_caps_features_copy (features));
    preferred =
        gst_caps_intersect_full (othercaps, alike, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (alike);

    if (gst_caps_is_empty (preferred)) {
      gst_caps_unref (preferred);
    } else {
      gst_caps_unref (othercaps);
      othercaps = preferred;
    }
  }

  othercaps = GST_BASE_TRANSFORM_CLASS (parent_class)
                  ->fixate_caps (trans, direction, caps, othercaps);
  if (direction == GST_PAD_SINK)
    othercaps = gst_srgan_caps_keep_colorimetry (caps, othercaps);
  return othercaps;
}

static gboolean
gst_srgan_upscale_set_info (GstVideoFilter *filter, GstCaps *incaps,
    GstVideoInfo *in_info, GstCaps *outcaps, GstVideoInfo *out_info)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (filter);
  const gchar *site = gst_structure_get_string (
      gst_caps_get_structure (incaps, 0), "chroma-site");

  /* 1.22 forgets the siting of caps that name no colorimetry. */
  if (site)
    in_info->chroma_site = gst_video_chroma_site_from_string (site);

  gst_base_transform_set_passthrough (
      GST_BASE_TRANSFORM (self), !self->scaling);
  return gst_srgan_upscale_make_plan (self, in_info);
}

/* Whether upstream offers anything that can be scaled. */
static gboolean
gst_srgan_upscale_upstream_can_scale (GstSrganUpscale *self, guint factor)
{
  GstPad *peer = gst_pad_get_peer (GST_BASE_TRANSFORM_SINK_PAD (self));
  GstCaps *caps;
  gboolean possible;

  if (peer == NULL)
    return FALSE;

  caps = gst_pad_query_caps (peer, NULL);
  possible = gst_srgan_caps_can_scale (caps, factor);
  gst_caps_unref (caps);
  gst_object_unref (peer);
  return possible;
}

/* Whether upstream has already decided for @caps: a pad takes up the caps of an
 * event before it asks whether they are accepted. */
static gboolean
gst_srgan_upscale_upstream_has (GstSrganUpscale *self, GstCaps *caps)
{
  GstPad *peer = gst_pad_get_peer (GST_BASE_TRANSFORM_SINK_PAD (self));
  GstCaps *current;
  gboolean equal = FALSE;

  if (peer == NULL)
    return FALSE;

  current = gst_pad_get_current_caps (peer);
  if (current) {
    equal = gst_caps_is_equal (current, caps);
    gst_caps_unref (current);
  }
  gst_object_unref (peer);
  return equal;
}

static gboolean
gst_srgan_upscale_query_latency (GstSrganUpscale *self, GstQuery *query)
{
  GstClockTime min, max;
  gboolean live;

  if (!gst_pad_peer_query (GST_BASE_TRANSFORM_SINK_PAD (self), query))
    return FALSE;

  gst_query_parse_latency (query, &live, &min, &max);

  GST_OBJECT_LOCK (self);
  self->live = live;
  if (live && self->scaling) {
    min += self->latency;
    if (GST_CLOCK_TIME_IS_VALID (max))
      max += self->latency;
  }
  GST_OBJECT_UNLOCK (self);

  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

/* Answers a CAPS query with all that the pads may carry. */
static void
accept_everything (GstBaseTransform *trans, GstQuery *query)
{
  GstCaps *filter, *caps, *all;

  gst_query_parse_caps (query, &filter);
  gst_query_parse_caps_result (query, &caps);
  all = gst_pad_get_pad_template_caps (GST_BASE_TRANSFORM_SINK_PAD (trans));
  caps = gst_caps_merge (gst_caps_ref (caps), all);
  if (filter) {
    GstCaps *common =
        gst_caps_intersect_full (filter, caps, GST_CAPS_INTERSECT_FIRST);

    gst_caps_unref (caps);
    caps = common;
  }
  gst_query_set_caps_result (query, caps);
  gst_caps_unref (caps);
}

/* An upstream that can choose (videoconvert, a camera) is told exactly what can
 * be scaled, and chooses from it. One that cannot (a decoder of 10-bit video,
 * an interlaced source) would only fail with "not negotiated", and a user would
 * have to guess why. So where there is no choice, such video is accepted, and
 * refused with a reason once it comes; see gst_srgan_upscale_sink_event(). */
static gboolean
gst_srgan_upscale_query (
    GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  gboolean scaling, accepted;
  guint factor;
  gchar *reason;
  GstCaps *caps;

  if (GST_QUERY_TYPE (query) == GST_QUERY_LATENCY && direction == GST_PAD_SRC)
    return gst_srgan_upscale_query_latency (self, query);

  if (!GST_BASE_TRANSFORM_CLASS (parent_class)->query (trans, direction, query))
    return FALSE;

  factor = gst_srgan_upscale_get_factor (self, &scaling);
  if (!scaling)
    return TRUE;

  switch (GST_QUERY_TYPE (query)) {
  case GST_QUERY_CAPS:
    /* Also on the src pad, or elements could not be linked front to back. */
    if (!gst_srgan_upscale_upstream_can_scale (self, factor))
      accept_everything (trans, query);
    break;
  case GST_QUERY_ACCEPT_CAPS:
    gst_query_parse_accept_caps_result (query, &accepted);
    if (accepted || direction != GST_PAD_SINK)
      break;

    gst_query_parse_accept_caps (query, &caps);
    reason = gst_srgan_caps_explain_refusal (caps, factor);
    if (reason && (gst_srgan_upscale_upstream_has (self, caps) ||
                      !gst_srgan_upscale_upstream_can_scale (self, factor)))
      gst_query_set_accept_caps_result (query, TRUE);
    g_free (reason);
    break;
  default:
    break;
  }

  return TRUE;
}

/* --- Events -------------------------------------------------------------- */

static gboolean
gst_srgan_upscale_sink_event (GstBaseTransform *trans, GstEvent *event)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  gchar *reason = NULL;
  GstCaps *caps;

  if (GST_EVENT_TYPE (event) != GST_EVENT_CAPS)
    goto done;

  if (!gst_srgan_upscale_take_changes (self)) {
    gst_event_unref (event);
    return FALSE;
  }

  gst_event_parse_caps (event, &caps);
  if (self->scaling)
    reason = gst_srgan_caps_explain_refusal (caps, self->factor);
  if (reason)
    goto refused;

done:
  return GST_BASE_TRANSFORM_CLASS (parent_class)->sink_event (trans, event);

  /* ERRORS */
refused : {
  /* Upstream sends caps again with the next buffer: once is enough. */
  if (self->refused == NULL || !gst_caps_is_equal (self->refused, caps))
    GST_ELEMENT_ERROR (self, CORE, NEGOTIATION, ("%s", reason),
        ("caps %" GST_PTR_FORMAT, caps));
  gst_caps_replace (&self->refused, caps);
  GST_VIDEO_FILTER (self)->negotiated = FALSE;
  g_free (reason);
  gst_event_unref (event);
  return FALSE;
}
}

static gboolean
gst_srgan_upscale_src_event (GstBaseTransform *trans, GstEvent *event)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  gdouble x, y;
  gboolean scaling;
  guint factor;

  switch (GST_EVENT_TYPE (event)) {
  case GST_EVENT_NAVIGATION:
    /* Clicks on the large picture are meant for the small one. */
    factor = gst_srgan_upscale_get_factor (self, &scaling);
    if (factor > 1 && gst_navigation_event_get_coordinates (event, &x, &y)) {
      event = gst_event_make_writable (event);
      gst_navigation_event_set_coordinates (event, x / factor, y / factor);
    }
    break;
  case GST_EVENT_QOS:
    GST_OBJECT_LOCK (self);
    self->qos = TRUE;
    GST_OBJECT_UNLOCK (self);
    break;
  default:
    break;
  }

  return GST_BASE_TRANSFORM_CLASS (parent_class)->src_event (trans, event);
}

/* --- Memory -------------------------------------------------------------- */

static gboolean
gst_srgan_upscale_decide_allocation (GstBaseTransform *trans, GstQuery *query)
{
  GstAllocator *allocator = NULL;
  GstAllocationParams params;
  GstBufferPool *pool = NULL;
  GstStructure *config;
  GstVideoAlignment alignment;
  GstVideoInfo info;
  GstCaps *caps;
  gboolean has_pool, takes_strides;
  guint size, min = 0, max = 0, i;

  gst_query_parse_allocation (query, &caps, NULL);
  if (caps == NULL || !gst_video_info_from_caps (&info, caps))
    return FALSE;
  size = GST_VIDEO_INFO_SIZE (&info);
  takes_strides =
      gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);

  gst_allocation_params_init (&params);
  if (gst_query_get_n_allocation_params (query) > 0) {
    gst_query_parse_nth_allocation_param (query, 0, &allocator, &params);
    params.align = MAX (params.align, MEMORY_ALIGNMENT);
    gst_query_set_nth_allocation_param (query, 0, allocator, &params);
  } else {
    params.align = MEMORY_ALIGNMENT;
    gst_query_add_allocation_param (query, NULL, &params);
  }

  has_pool = gst_query_get_n_allocation_pools (query) > 0;
  if (has_pool)
    gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
  if (pool == NULL)
    pool = gst_video_buffer_pool_new ();
  size = MAX (size, GST_VIDEO_INFO_SIZE (&info));

  /* One buffer downstream and one being written, from the start: a pool that
   * begins with none allocates while the first frames run. */
  min = MAX (min, 2);
  if (max > 0)
    min = MIN (min, max);

  config = gst_buffer_pool_get_config (pool);
  gst_buffer_pool_config_set_params (config, caps, size, min, max);
  gst_buffer_pool_config_set_allocator (config, allocator, &params);
  /* Padded rows only for who reads the strides. */
  if (takes_strides && gst_buffer_pool_has_option (
                           pool, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT)) {
    gst_buffer_pool_config_add_option (
        config, GST_BUFFER_POOL_OPTION_VIDEO_META);
    gst_buffer_pool_config_add_option (
        config, GST_BUFFER_POOL_OPTION_VIDEO_ALIGNMENT);
    gst_video_alignment_reset (&alignment);
    for (i = 0; i < GST_VIDEO_MAX_PLANES; i++)
      alignment.stride_align[i] = MEMORY_ALIGNMENT;
    gst_buffer_pool_config_set_video_alignment (config, &alignment);
  }
  /* A pool that wants it otherwise says so again below, where the base class
   * deals with it. */
  gst_buffer_pool_set_config (pool, config);

  if (has_pool)
    gst_query_set_nth_allocation_pool (query, 0, pool, size, min, max);
  else
    gst_query_add_allocation_pool (query, pool, size, min, max);

  gst_object_unref (pool);
  if (allocator)
    gst_object_unref (allocator);

  return GST_BASE_TRANSFORM_CLASS (parent_class)
      ->decide_allocation (trans, query);
}

static gboolean
gst_srgan_upscale_propose_allocation (
    GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query)
{
  /* The parent builds its pool with what stands here. */
  if (decide_query && gst_query_get_n_allocation_params (query) == 0) {
    GstAllocationParams params;

    gst_allocation_params_init (&params);
    params.align = MEMORY_ALIGNMENT;
    gst_query_add_allocation_param (query, NULL, &params);
  }

  return GST_BASE_TRANSFORM_CLASS (parent_class)
      ->propose_allocation (trans, decide_query, query);
}

/* --- Metas --------------------------------------------------------------- */

/* Which metas downstream understands may also be attached upstream. Cropping is
 * none of them: it would have to be undone here. */
static gboolean
gst_srgan_upscale_filter_meta (GstBaseTransform *trans, GstQuery *query,
    GType api, const GstStructure *params)
{
  return api != GST_VIDEO_CROP_META_API_TYPE && gst_srgan_meta_can_stay (api);
}

static gboolean
gst_srgan_upscale_transform_meta (
    GstBaseTransform *trans, GstBuffer *outbuf, GstMeta *meta, GstBuffer *inbuf)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  GstVideoFilter *filter = GST_VIDEO_FILTER (trans);
  const GstMetaInfo *info = meta->info;

  if (info->api == GST_VIDEO_REGION_OF_INTEREST_META_API_TYPE) {
    gst_srgan_scale_region (
        outbuf, (GstVideoRegionOfInterestMeta *) meta, self->factor);
    return FALSE;
  }

  if (info->api == GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE) {
    GstVideoOverlayComposition *overlay =
        ((GstVideoOverlayCompositionMeta *) meta)->overlay;

    if (overlay != self->overlay) {
      g_clear_pointer (&self->overlay, gst_video_overlay_composition_unref);
      g_clear_pointer (
          &self->scaled_overlay, gst_video_overlay_composition_unref);
      self->overlay = gst_video_overlay_composition_ref (overlay);
      self->scaled_overlay = gst_srgan_scale_overlay (overlay, self->factor);
    }
    gst_buffer_add_video_overlay_composition_meta (
        outbuf, self->scaled_overlay);
    return FALSE;
  }

  if (!gst_srgan_meta_can_stay (info->api))
    return FALSE;

  if (gst_srgan_meta_is_of_size (info->api)) {
    GstVideoMetaTransform scale = {&filter->in_info, &filter->out_info};

    if (info->transform_func)
      info->transform_func (outbuf, meta, inbuf,
          gst_video_meta_transform_scale_get_quark (), &scale);
    return FALSE;
  }

  return TRUE;
}

/* --- Pace ---------------------------------------------------------------- */

/* The most expensive built-in network of the present factor and tune that would
 * take no more than @budget for a frame, going by how fast the present one
 * runs. Returns: (transfer full) (nullable): the preset's name */
static gchar *
gst_srgan_upscale_find_faster_preset (
    GstSrganUpscale *self, GstClockTime present, GstClockTime budget)
{
  const gchar *const *name = srgan_network_list_builtins ();
  gdouble most = srgan_network_get_multiply_adds (self->network) *
                 gst_guint64_to_gdouble (budget) /
                 gst_guint64_to_gdouble (MAX (present, 1));
  gchar *best = NULL;
  gchar *ending = g_strdup_printf (
      "-%s-x%u", enum_nick (GST_TYPE_SRGAN_TUNE, self->tune), self->factor);

  for (; *name; name++) {
    SrganNetwork *network;
    gdouble cost;

    if (!g_str_has_suffix (*name, ending))
      continue;
    network = srgan_network_open (*name, 0, NULL, NULL);
    if (network == NULL)
      continue;
    cost = srgan_network_get_multiply_adds (network);
    srgan_network_unref (network);
    /* They come cheapest first. */
    if (cost > most)
      break;
    g_free (best);
    best = g_strndup (*name, strlen (*name) - strlen (ending));
  }

  g_free (ending);
  return best;
}

static void
gst_srgan_upscale_report_pace (
    GstSrganUpscale *self, GstClockTime mean, GstClockTime duration)
{
  gchar *preset, *mend;
  gboolean lossy;

  /* Some room for what else the machine has to do. */
  preset = gst_srgan_upscale_find_faster_preset (self, mean, duration * 8 / 10);
  if (preset)
    mend = g_strdup_printf ("preset=%s should keep up.", preset);
  else
    mend = g_strdup ("No built-in network of this scale and tune would keep "
                     "up here: a smaller picture, a smaller scale or more "
                     "CPUs would.");

  GST_OBJECT_LOCK (self);
  lossy = self->live || self->qos;
  GST_OBJECT_UNLOCK (self);

  if (lossy)
    GST_ELEMENT_WARNING (self, STREAM, FAILED,
        ("A frame takes %.1f ms and lasts %.1f ms: this stream cannot be kept "
         "up with. %s",
            mean / (gdouble) GST_MSECOND, duration / (gdouble) GST_MSECOND,
            mend),
        ("model %s", srgan_network_get_name (self->network)));
  else
    GST_ELEMENT_INFO (self, STREAM, FAILED,
        ("A frame takes %.1f ms and lasts %.1f ms: played or streamed "
         "directly, this could not be kept up with. %s",
            mean / (gdouble) GST_MSECOND, duration / (gdouble) GST_MSECOND,
            mend),
        ("model %s", srgan_network_get_name (self->network)));

  g_free (mend);
  g_free (preset);
}

/* Every so many frames: does the latency that we report still hold, and can
 * the stream be kept up with? Posting a message allocates, but in the steady
 * state there is none to post. */
static void
gst_srgan_upscale_watch_pace (GstSrganUpscale *self, GstClockTime duration)
{
  GstSrganFrameTimesSummary summary;
  guint64 n = self->times.n_frames;
  gboolean latency_changed = FALSE;

  if (n != PACE_FIRST && n % PACE_WINDOW != 0)
    return;

  gst_srgan_frame_times_summarise (
      &self->times, MIN (n - PACE_WARM_UP, PACE_WINDOW), &summary);

  /* A quarter more than nearly all frames need, and news only when that is too
   * little or much too much: each makes the whole pipeline redistribute. */
  GST_OBJECT_LOCK (self);
  if (summary.p95 > self->latency ||
      summary.p95 * 5 / 4 < self->latency * 3 / 4) {
    self->latency = summary.p95 * 5 / 4;
    latency_changed = self->live;
  }
  GST_OBJECT_UNLOCK (self);

  if (latency_changed) {
    GST_DEBUG_OBJECT (self, "latency is now %" GST_TIME_FORMAT,
        GST_TIME_ARGS (self->latency));
    gst_element_post_message (
        GST_ELEMENT (self), gst_message_new_latency (GST_OBJECT (self)));
  }

  if (!self->pace_reported && n >= PACE_WINDOW &&
      GST_CLOCK_TIME_IS_VALID (duration) && summary.mean > duration) {
    self->pace_reported = TRUE;
    gst_srgan_upscale_report_pace (self, summary.mean, duration);
  }
}

/* How long @buffer is shown at the present playback rate. */
static GstClockTime
gst_srgan_upscale_get_duration (GstSrganUpscale *self, GstBuffer *buffer)
{
  const GstVideoInfo *info = &GST_VIDEO_FILTER (self)->in_info;
  gdouble rate = ABS (GST_BASE_TRANSFORM (self)->segment.rate);
  GstClockTime duration = GST_BUFFER_DURATION (buffer);

  if (GST_VIDEO_INFO_FPS_N (info) > 0)
    duration = gst_util_uint64_scale_int (
        GST_SECOND, GST_VIDEO_INFO_FPS_D (info), GST_VIDEO_INFO_FPS_N (info));
  if (!GST_CLOCK_TIME_IS_VALID (duration) || rate == 0.0)
    return GST_CLOCK_TIME_NONE;

  return gst_gdouble_to_guint64 (gst_guint64_to_gdouble (duration) / rate);
}

/* --- Frames -------------------------------------------------------------- */

static GstFlowReturn
gst_srgan_upscale_submit_input_buffer (
    GstBaseTransform *trans, gboolean is_discont, GstBuffer *input)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  GstFlowReturn result;

  if (!gst_srgan_upscale_take_changes (self)) {
    gst_buffer_unref (input);
    return GST_FLOW_ERROR;
  }

  result = GST_BASE_TRANSFORM_CLASS (parent_class)
               ->submit_input_buffer (trans, is_discont, input);
  if (result == GST_BASE_TRANSFORM_FLOW_DROPPED) {
    GST_OBJECT_LOCK (self);
    self->n_dropped++;
    GST_OBJECT_UNLOCK (self);
  }
  return result;
}

static GstFlowReturn
gst_srgan_upscale_transform_frame (
    GstVideoFilter *filter, GstVideoFrame *in_frame, GstVideoFrame *out_frame)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (filter);
  SrganFrame input = {0}, output = {0};
  gint64 start, end;
  gdouble reused;

  if (!gst_srgan_frame_from_mapped (&input, in_frame, &filter->in_info) ||
      !gst_srgan_frame_from_mapped (&output, out_frame, &filter->out_info))
    goto too_small;

  start = g_get_monotonic_time ();
  srgan_plan_run (self->plan, &input, &output);
  end = g_get_monotonic_time ();
  reused = srgan_plan_get_reused (self->plan);

  GST_OBJECT_LOCK (self);
  self->n_frames++;
  self->reused += reused;
  gst_srgan_frame_times_add (&self->times, (end - start) * GST_USECOND);
  GST_OBJECT_UNLOCK (self);

  gst_srgan_upscale_watch_pace (
      self, gst_srgan_upscale_get_duration (self, in_frame->buffer));
  return GST_FLOW_OK;

  /* ERRORS */
too_small : {
  GST_ELEMENT_ERROR (self, LIBRARY, FAILED,
      ("A frame's memory is smaller than its description: the element before "
       "or after this one hands out broken buffers."),
      ("in %" GST_PTR_FORMAT ", out %" GST_PTR_FORMAT, in_frame->buffer,
          out_frame->buffer));
  return GST_FLOW_ERROR;
}
}

/* GstVideoFilter's own goes on with a warning, and a frame of whatever the
 * output buffer held, when a buffer cannot be mapped. */
static GstFlowReturn
gst_srgan_upscale_transform (
    GstBaseTransform *trans, GstBuffer *inbuf, GstBuffer *outbuf)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (trans);
  GstVideoFilter *filter = GST_VIDEO_FILTER (trans);
  GstVideoFrame in_frame, out_frame;
  GstFlowReturn result;

  if (G_UNLIKELY (!filter->negotiated || self->plan == NULL))
    return GST_FLOW_NOT_NEGOTIATED;

  if (!gst_video_frame_map (&in_frame, &filter->in_info, inbuf,
          GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF))
    goto not_readable;
  if (!gst_video_frame_map (&out_frame, &filter->out_info, outbuf,
          GST_MAP_WRITE | GST_VIDEO_FRAME_MAP_FLAG_NO_REF))
    goto not_writable;

  result = gst_srgan_upscale_transform_frame (filter, &in_frame, &out_frame);

  gst_video_frame_unmap (&out_frame);
  gst_video_frame_unmap (&in_frame);
  return result;

  /* ERRORS */
not_readable : {
  GST_ELEMENT_ERROR (self, LIBRARY, FAILED,
      ("A frame cannot be read: the element in front hands out buffers that "
       "cannot be mapped or do not hold a whole frame."),
      ("%" GST_PTR_FORMAT, inbuf));
  return GST_FLOW_ERROR;
}
not_writable : {
  gst_video_frame_unmap (&in_frame);
  GST_ELEMENT_ERROR (self, LIBRARY, FAILED,
      ("A frame cannot be written: the element behind provides buffers that "
       "cannot be mapped or do not hold a whole frame."),
      ("%" GST_PTR_FORMAT, outbuf));
  return GST_FLOW_ERROR;
}
}

/* --- Properties ---------------------------------------------------------- */

static GstStructure *
gst_srgan_upscale_create_stats (GstSrganUpscale *self)
{
  GstSrganFrameTimesSummary summary;
  GstStructure *stats;
  const gdouble ms = GST_MSECOND;
  gdouble reused;

  GST_OBJECT_LOCK (self);
  gst_srgan_frame_times_summarise (
      &self->times, GST_SRGAN_N_FRAME_TIMES, &summary);
  reused = self->n_frames > 0 ? self->reused / (gdouble) self->n_frames : 0;
  stats = gst_structure_new ("application/x-srganupscale-stats", "frames",
      G_TYPE_UINT64, self->n_frames, "dropped", G_TYPE_UINT64, self->n_dropped,
      "ms-mean", G_TYPE_DOUBLE, summary.mean / ms, "ms-p50", G_TYPE_DOUBLE,
      summary.p50 / ms, "ms-p95", G_TYPE_DOUBLE, summary.p95 / ms, "ms-max",
      G_TYPE_DOUBLE, summary.max / ms, "model", G_TYPE_STRING,
      self->model_name ? self->model_name : "", "kernels", G_TYPE_STRING,
      self->report.kernels ? self->report.kernels : "", "threads", G_TYPE_UINT,
      self->report.n_threads, "workspace-bytes", G_TYPE_UINT64,
      (guint64) self->report.workspace_bytes, "kept-bytes", G_TYPE_UINT64,
      (guint64) self->report.kept_bytes, "reused", G_TYPE_DOUBLE, reused, NULL);
  GST_OBJECT_UNLOCK (self);

  return stats;
}

static void
gst_srgan_upscale_set_property (
    GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (object);

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_PRESET:
    self->settings.preset = g_value_get_enum (value);
    break;
  case PROP_TUNE:
    self->settings.tune = g_value_get_enum (value);
    break;
  case PROP_MODEL:
    g_free (self->settings.model);
    self->settings.model = g_value_dup_string (value);
    if (self->settings.model && *self->settings.model == '\0')
      g_clear_pointer (&self->settings.model, g_free);
    break;
  case PROP_SCALE:
    self->settings.scale = g_value_get_uint (value);
    break;
  case PROP_N_THREADS:
    self->settings.n_threads = g_value_get_uint (value);
    break;
  case PROP_PRECISION:
    self->settings.precision = (SrganPrecision) g_value_get_enum (value);
    break;
  case PROP_REUSE:
    self->settings.reuse = g_value_get_boolean (value);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  self->settings_changed = TRUE;
  GST_OBJECT_UNLOCK (self);
}

static void
gst_srgan_upscale_get_property (
    GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (object);

  if (id == PROP_STATS) {
    g_value_take_boxed (value, gst_srgan_upscale_create_stats (self));
    return;
  }

  GST_OBJECT_LOCK (self);
  switch (id) {
  case PROP_PRESET:
    g_value_set_enum (value, self->settings.preset);
    break;
  case PROP_TUNE:
    g_value_set_enum (value, self->settings.tune);
    break;
  case PROP_MODEL:
    g_value_set_string (value, self->settings.model);
    break;
  case PROP_SCALE:
    g_value_set_uint (value, self->settings.scale);
    break;
  case PROP_N_THREADS:
    g_value_set_uint (value, self->settings.n_threads);
    break;
  case PROP_PRECISION:
    g_value_set_enum (value, (gint) self->settings.precision);
    break;
  case PROP_REUSE:
    g_value_set_boolean (value, self->settings.reuse);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    break;
  }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_srgan_upscale_finalize (GObject *object)
{
  GstSrganUpscale *self = GST_SRGAN_UPSCALE (object);

  g_free (self->settings.model);
  g_free (self->model_name);

  G_OBJECT_CLASS (parent_class)->finalize (object);
}

static void
gst_srgan_upscale_init (GstSrganUpscale *self)
{
  self->settings.preset = DEFAULT_PRESET;
  self->settings.tune = DEFAULT_TUNE;
  self->settings.scale = DEFAULT_SCALE;
  self->settings.n_threads = DEFAULT_N_THREADS;
  self->settings.reuse = DEFAULT_REUSE;
  self->factor = 1;

  /* Downstream's own size is never one to prefer: ours is another. */
  gst_base_transform_set_prefer_passthrough (GST_BASE_TRANSFORM (self), FALSE);
}

static void
gst_srgan_upscale_class_init (GstSrganUpscaleClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);
  GstVideoFilterClass *filter_class = GST_VIDEO_FILTER_CLASS (klass);
  const GParamFlags live_flags =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  object_class->set_property = gst_srgan_upscale_set_property;
  object_class->get_property = gst_srgan_upscale_get_property;
  object_class->finalize = gst_srgan_upscale_finalize;

  /**
   * srganupscale:preset:
   *
   * How much work a frame is worth. Where a preset has no network for the tune
   * and scale asked for, the nearest one that costs no more takes its place,
   * and a warning says so.
   */
  g_object_class_install_property (object_class, PROP_PRESET,
      g_param_spec_enum ("preset", "Preset",
          "How much work a frame is worth; not used with model",
          GST_TYPE_SRGAN_PRESET, DEFAULT_PRESET, live_flags));

  /**
   * srganupscale:tune:
   *
   * What kind of picture to expect.
   */
  g_object_class_install_property (object_class, PROP_TUNE,
      g_param_spec_enum ("tune", "Tune",
          "What kind of picture to expect; not used with model",
          GST_TYPE_SRGAN_TUNE, DEFAULT_TUNE, live_flags));

  /**
   * srganupscale:model:
   *
   * A network by name: a `.safetensors` file, or a built-in as `srgan-info`
   * lists them, with or without its scale. Overrides preset and tune.
   */
  g_object_class_install_property (object_class, PROP_MODEL,
      g_param_spec_string ("model", "Model",
          "A model file (.safetensors) or a built-in network's name; "
          "overrides preset and tune",
          NULL, live_flags));

  /**
   * srganupscale:scale:
   *
   * How many times as wide and high the output is. 0: as the model has it, and
   * 2 where it leaves that open. 1: frames pass untouched, unless the model is
   * one that restores without enlarging.
   */
  g_object_class_install_property (object_class, PROP_SCALE,
      g_param_spec_uint ("scale", "Scale",
          "How many times as wide and high the output is (0 = the model's, "
          "else 2; 1 = pass-through)",
          0, MAX_SCALE, DEFAULT_SCALE, live_flags));

  /**
   * srganupscale:n-threads:
   *
   * Threads that work on a frame. 0: as many as the CPUs that this process may
   * use, by its affinity and its cgroup's quota.
   */
  g_object_class_install_property (object_class, PROP_N_THREADS,
      g_param_spec_uint ("n-threads", "Number of threads",
          "Threads that work on a frame (0 = the CPUs this process may use)", 0,
          MAX_THREADS, DEFAULT_N_THREADS, live_flags));

  /**
   * srganupscale:precision:
   *
   * What the network is computed in. auto: int8 where the model is known to
   * lose at most 0.1 dB by it and this processor is faster so; else bf16 where
   * it is known to lose at most 0.02 dB and the processor has AMX's tiles; else
   * fp32.
   */
  g_object_class_install_property (object_class, PROP_PRECISION,
      g_param_spec_enum ("precision", "Precision",
          "What the network is computed in", GST_TYPE_SRGAN_PRECISION,
          SRGAN_PRECISION_AUTO, live_flags));

  /**
   * srganupscale:reuse:
   *
   * Whether what has not changed since the last frame is taken from there
   * instead of computed again: the output is the same, bit for bit. Costs
   * memory for one frame in and one out (`kept-bytes` of #srganupscale:stats),
   * and next to no time where nothing repeats.
   */
  g_object_class_install_property (object_class, PROP_REUSE,
      g_param_spec_boolean ("reuse", "Reuse",
          "Compute only what has changed since the last frame", DEFAULT_REUSE,
          live_flags));

  /**
   * srganupscale:stats:
   *
   * What was done, and how long it took:
   *
   * * `frames` (#guint64): frames enlarged since the element was started
   * * `dropped` (#guint64): frames left out because they came too late (QoS)
   * * `ms-mean`, `ms-p50`, `ms-p95`, `ms-max` (#gdouble): milliseconds that a
   *   frame took, over the last 128 frames
   * * `model` (string): the network's name; empty when frames pass untouched
   * * `kernels` (string): the kernel set ("avx2", ...)
   * * `threads` (#guint): threads at work
   * * `workspace-bytes` (#guint64): their working memory together
   * * `kept-bytes` (#guint64): memory that the last frame is kept in
   * * `reused` (#gdouble): the share of all frames, 0 to 1, that was taken from
   *   the frame before
   */
  g_object_class_install_property (object_class, PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Frames, their times in ms, model, kernels, memory",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_add_static_pad_template (element_class, &src_template);
  /* Not a "Converter": autovideoconvert (1.22) would take it for one and
   * enlarge what it means to convert. */
  gst_element_class_set_static_metadata (element_class,
      "Super-resolution upscaler", "Filter/Effect/Video/Scaler",
      "Enlarges video 2, 3 or 4 times with a trained network",
      "The gst-srgan authors");

  trans_class->start = GST_DEBUG_FUNCPTR (gst_srgan_upscale_start);
  trans_class->stop = GST_DEBUG_FUNCPTR (gst_srgan_upscale_stop);
  trans_class->transform_caps =
      GST_DEBUG_FUNCPTR (gst_srgan_upscale_transform_caps);
  trans_class->fixate_caps = GST_DEBUG_FUNCPTR (gst_srgan_upscale_fixate_caps);
  trans_class->query = GST_DEBUG_FUNCPTR (gst_srgan_upscale_query);
  trans_class->sink_event = GST_DEBUG_FUNCPTR (gst_srgan_upscale_sink_event);
  trans_class->src_event = GST_DEBUG_FUNCPTR (gst_srgan_upscale_src_event);
  trans_class->decide_allocation =
      GST_DEBUG_FUNCPTR (gst_srgan_upscale_decide_allocation);
  trans_class->propose_allocation =
      GST_DEBUG_FUNCPTR (gst_srgan_upscale_propose_allocation);
  trans_class->filter_meta = GST_DEBUG_FUNCPTR (gst_srgan_upscale_filter_meta);
  trans_class->transform_meta =
      GST_DEBUG_FUNCPTR (gst_srgan_upscale_transform_meta);
  trans_class->submit_input_buffer =
      GST_DEBUG_FUNCPTR (gst_srgan_upscale_submit_input_buffer);
  trans_class->transform = GST_DEBUG_FUNCPTR (gst_srgan_upscale_transform);
  filter_class->set_info = GST_DEBUG_FUNCPTR (gst_srgan_upscale_set_info);
  filter_class->transform_frame =
      GST_DEBUG_FUNCPTR (gst_srgan_upscale_transform_frame);

  gst_type_mark_as_plugin_api (GST_TYPE_SRGAN_PRESET, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SRGAN_TUNE, 0);
  gst_type_mark_as_plugin_api (GST_TYPE_SRGAN_PRECISION, 0);
}

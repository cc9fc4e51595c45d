/* tests: srganupscale's properties, errors and statistics.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <glib/gstdio.h>
#include <string.h>

/* A harness with a bus, in which errors and warnings can be read. */
static GstHarness *
new_harness (const gchar *model, guint scale, GstBus **bus)
{
  GstHarness *harness = element_test_new_harness (model, scale);

  *bus = gst_bus_new ();
  gst_element_set_bus (harness->element, *bus);
  return harness;
}

static void
teardown (GstHarness *harness, GstBus *bus)
{
  gst_element_set_bus (harness->element, NULL);
  gst_object_unref (bus);
  gst_harness_teardown (harness);
}

static void
set_info (GstHarness *harness, GstVideoInfo *info, guint width, guint height)
{
  gst_video_info_set_format (info, GST_VIDEO_FORMAT_I420, width, height);
  GST_VIDEO_INFO_FPS_N (info) = 25;
  GST_VIDEO_INFO_FPS_D (info) = 1;
  gst_harness_set_src_caps (harness, gst_video_info_to_caps (info));
}

/* The width of what comes out for one frame. */
static gint
push_one (GstHarness *harness, const GstVideoInfo *info, guint seed)
{
  GstBuffer *output =
      gst_harness_push_and_pull (harness, element_test_new_frame (info, seed));
  GstCaps *caps = gst_pad_get_current_caps (harness->sinkpad);
  gint width = 0;

  fail_unless (output != NULL);
  gst_structure_get_int (gst_caps_get_structure (caps, 0), "width", &width);
  gst_caps_unref (caps);
  gst_buffer_unref (output);
  return width;
}

/* --- What the element says of itself ------------------------------------- */

static void
describe_property (GString *text, GObject *object, GParamSpec *pspec)
{
  GValue value = G_VALUE_INIT;

  g_string_append_printf (text, "%s: %s\n  %s%s%s\n", pspec->name,
      g_param_spec_get_blurb (pspec),
      pspec->flags & G_PARAM_READABLE ? "readable" : "",
      pspec->flags & G_PARAM_WRITABLE ? ", writable" : "",
      pspec->flags & GST_PARAM_MUTABLE_PLAYING ? ", changeable in PLAYING"
                                               : "");

  g_value_init (&value, pspec->value_type);
  g_param_value_set_default (pspec, &value);
  if (G_IS_PARAM_SPEC_ENUM (pspec)) {
    GEnumClass *klass = g_type_class_ref (pspec->value_type);
    guint i;

    g_string_append_printf (text, "  %s, default %s\n",
        g_type_name (pspec->value_type),
        g_enum_get_value (klass, g_value_get_enum (&value))->value_nick);
    for (i = 0; i < klass->n_values; i++)
      g_string_append_printf (text, "    %d: %s (%s)\n", klass->values[i].value,
          klass->values[i].value_nick, klass->values[i].value_name);
    g_type_class_unref (klass);
  } else if (G_IS_PARAM_SPEC_UINT (pspec)) {
    GParamSpecUInt *range = G_PARAM_SPEC_UINT (pspec);

    g_string_append_printf (text, "  %u .. %u, default %u\n", range->minimum,
        range->maximum, g_value_get_uint (&value));
  } else if (G_IS_PARAM_SPEC_BOOLEAN (pspec)) {
    g_string_append_printf (text, "  boolean, default %s\n",
        g_value_get_boolean (&value) ? "true" : "false");
  } else if (G_IS_PARAM_SPEC_STRING (pspec)) {
    g_string_append_printf (text, "  string, default %s\n",
        g_value_get_string (&value) ? g_value_get_string (&value) : "null");
  } else {
    g_string_append_printf (text, "  %s\n", g_type_name (pspec->value_type));
  }
  g_value_unset (&value);
}

/* As gst-inspect-1.0 shows it: a change is meant, or a mistake. */
GST_START_TEST (test_inspect)
{
  GstElementFactory *factory = gst_element_factory_find ("srganupscale");
  GstElement *element = gst_element_factory_create (factory, NULL);
  GString *text = g_string_new (NULL);
  gchar *path, *expected;
  GError *error = NULL;
  GParamSpec **properties;
  static const gchar *const pads[] = {"sink", "src"};
  guint n, i;

  g_string_append_printf (text, "%s\n%s\n%s\nrank %u\n\n",
      gst_element_factory_get_metadata (factory, GST_ELEMENT_METADATA_LONGNAME),
      gst_element_factory_get_metadata (factory, GST_ELEMENT_METADATA_KLASS),
      gst_element_factory_get_metadata (
          factory, GST_ELEMENT_METADATA_DESCRIPTION),
      gst_plugin_feature_get_rank (GST_PLUGIN_FEATURE (factory)));

  for (i = 0; i < G_N_ELEMENTS (pads); i++) {
    GstPadTemplate *template = gst_element_get_pad_template (element, pads[i]);
    GstCaps *caps = gst_pad_template_get_caps (template);
    gchar *string = gst_structure_to_string (gst_caps_get_structure (caps, 0));

    /* What is scaled; all else, of any memory, only passes. */
    fail_unless_equals_int (gst_caps_get_size (caps), 2);
    fail_unless (gst_caps_features_is_any (gst_caps_get_features (caps, 1)));
    g_string_append_printf (text, "%s pad: %s\n", pads[i], string);
    g_free (string);
    gst_caps_unref (caps);
  }

  properties =
      g_object_class_list_properties (G_OBJECT_GET_CLASS (element), &n);
  for (i = 0; i < n; i++)
    if (properties[i]->owner_type == G_OBJECT_TYPE (element)) {
      g_string_append_c (text, '\n');
      describe_property (text, G_OBJECT (element), properties[i]);
    }

  path = g_build_filename (g_getenv ("SRGAN_SOURCE_ROOT"), "tests", "element",
      "srganupscale.txt", NULL);
  g_file_get_contents (path, &expected, NULL, &error);
  g_assert_no_error (error);
  fail_unless (g_str_equal (text->str, expected), "%s says otherwise than:\n%s",
      path, text->str);

  g_free (expected);
  g_free (path);
  g_free (properties);
  g_string_free (text, TRUE);
  gst_object_unref (element);
  gst_object_unref (factory);
}
GST_END_TEST;

/* 1.22's autovideoconvert takes any klass with these three words. */
GST_START_TEST (test_klass)
{
  GstElementFactory *factory = gst_element_factory_find ("srganupscale");

  fail_if (gst_element_factory_list_is_type (
      factory, GST_ELEMENT_FACTORY_TYPE_DECODER));
  fail_if (strstr (
      gst_element_factory_get_metadata (factory, GST_ELEMENT_METADATA_KLASS),
      "Converter"));
  gst_object_unref (factory);
}
GST_END_TEST;

/* The enums spell srgan-core's words, in its order. */
static void
check_words (const gchar *property, const gchar *const *words)
{
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);
  GParamSpec *pspec =
      g_object_class_find_property (G_OBJECT_GET_CLASS (element), property);
  GEnumClass *klass = g_type_class_ref (pspec->value_type);
  guint i;

  for (i = 0; words[i]; i++) {
    GEnumValue *value = g_enum_get_value (klass, i);

    fail_unless (value && g_str_equal (value->value_nick, words[i]), "%s %u",
        words[i], i);
  }
  fail_unless_equals_int (klass->n_values, i);
  fail_unless (gst_type_is_plugin_api (pspec->value_type, NULL));
  g_type_class_unref (klass);
  gst_object_unref (element);
}

GST_START_TEST (test_words)
{
  check_words ("preset", srgan_network_list_presets ());
  check_words ("tune", srgan_network_list_tunes ());
}
GST_END_TEST;

/* --- Errors --------------------------------------------------------------- */

/* Starting with @model and @scale fails so. */
static void
assert_start_error (const gchar *model, guint scale, GQuark domain, gint code,
    const gchar *words)
{
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error;

  g_object_set (element, "model", model, "scale", scale, NULL);
  gst_element_set_bus (element, bus);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_FAILURE);
  message = element_test_pop (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL, "%s", model);
  gst_message_parse_error (message, &error, NULL);
  element_test_assert_error (error, domain, code, words);

  g_error_free (error);
  gst_message_unref (message);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
}

static gchar *
write_file (const gchar *name, const gchar *contents)
{
  gchar *path = g_build_filename (element_test_directory (), name, NULL);

  g_assert_true (g_file_set_contents (path, contents, -1, NULL));
  return path;
}

GST_START_TEST (test_model_errors)
{
  gchar *path;

  assert_start_error ("/nowhere/at-all.safetensors", 0, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND, "/nowhere/at-all.safetensors");
  assert_start_error ("no-such-network", 0, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND, "no-such-network");

  path = write_file ("damaged.safetensors", "this is no model at all");
  assert_start_error (path, 0, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
      "damaged.safetensors");
  g_free (path);

  /* A directory can be opened, but not read. */
  path =
      g_build_filename (element_test_directory (), "folder.safetensors", NULL);
  g_mkdir (path, 0700);
  assert_start_error (path, 0, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ,
      "folder.safetensors");
  g_rmdir (path);
  g_free (path);

  /* A scale that contradicts the model. */
  assert_start_error (element_test_model (2), 3, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_SETTINGS, "2");
}
GST_END_TEST;

GST_START_TEST (test_foreign_models)
{
  static const struct {
    const gchar *name;
    const gchar *words;
  } cases[] = {
      {"a.onnx", "ONNX"},
      {"b.pth", "PyTorch"},
      {"C.PTH", "PyTorch"},
      {"d.h5", "Keras"},
      {"e.tflite", "TensorFlow Lite"},
      {"f.param", "ncnn"},
      {"g.rsr", "SRGAN-Rust"},
      {"h.pb", "TensorFlow"},
      {"i.ckpt", "checkpoint"},
      {"j.index", "TensorFlow checkpoint"},
      {"k.keras", "Keras"},
      {"l.hdf5", "Keras"},
      {"model.json", "JSON"},
      {"m.bin", "weights"},
      {"n.glsl", "shader"},
      {"o.pt", "PyTorch"},
  };
  gchar *folder, *graph, *line;
  guint i;

  for (i = 0; i < G_N_ELEMENTS (cases); i++) {
    gchar *path = write_file (cases[i].name, "x");

    assert_start_error (
        path, 0, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE, cases[i].words);
    assert_start_error (path, 0, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE,
        "convert it to a .safetensors file");
    line = g_strdup_printf ("srgan-convert \"%s\" model.safetensors", path);
    assert_start_error (
        path, 0, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE, line);
    g_free (line);
    g_free (path);
  }

  /* a folder that is one model */
  folder = g_build_filename (element_test_directory (), "saved", NULL);
  g_mkdir (folder, 0700);
  graph = write_file ("saved/saved_model.pb", "x");
  line = g_strdup_printf ("srgan-convert \"%s\" model.safetensors", folder);
  assert_start_error (
      folder, 0, GST_STREAM_ERROR, GST_STREAM_ERROR_WRONG_TYPE, line);
  g_unlink (graph);
  g_rmdir (folder);
  g_free (line);
  g_free (graph);
  g_free (folder);

  /* what goes by our ending and is a state dict */
  {
    static const gchar header[] =
        "\x36\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\",\"shape\":[1],"
        "\"data_offsets\":[0,4]}}\0\0\0\0";
    gchar *path =
        g_build_filename (element_test_directory (), "s.safetensors", NULL);

    fail_unless (g_file_set_contents (path, header, sizeof header - 1, NULL));
    line = g_strdup_printf ("srgan-convert \"%s\" model.safetensors", path);
    assert_start_error (
        path, 0, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_INIT, line);
    g_unlink (path);
    g_free (line);
    g_free (path);
  }
  assert_start_error ("not-there.onnx", 0, GST_RESOURCE_ERROR,
      GST_RESOURCE_ERROR_NOT_FOUND, "not-there.onnx");
}
GST_END_TEST;

/* An element that has failed can be mended and started. */
GST_START_TEST (test_recovery)
{
  GstHarness *harness;
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);
  GstVideoInfo info;

  g_object_set (element, "model", "/nowhere.safetensors", NULL);
  fail_unless_equals_int (gst_element_set_state (element, GST_STATE_PAUSED),
      GST_STATE_CHANGE_FAILURE);
  gst_element_set_state (element, GST_STATE_NULL);

  g_object_set (element, "model", element_test_model (2), NULL);
  harness = gst_harness_new_with_element (element, "sink", "src");
  set_info (harness, &info, 16, 8);
  fail_unless_equals_int (push_one (harness, &info, 0), 32);
  gst_harness_teardown (harness);
  gst_object_unref (element);
}
GST_END_TEST;

/* Buffers that cannot be what their caps say are errors, not frames. */
GST_START_TEST (test_frame_errors)
{
  guint i;

  for (i = 0; i < 2; i++) {
    GstBus *bus;
    GstHarness *harness = new_harness (element_test_model (2), 0, &bus);
    GstVideoInfo info;
    GstBuffer *buffer;
    GstMessage *message;
    GError *error;

    set_info (harness, &info, 16, 8);
    buffer = gst_buffer_new_allocate (NULL, 16 * 8, NULL);
    if (i == 1) {
      /* Enough bytes by its own account. */
      gsize offset[4] = {0, 16 * 8, 16 * 8 + 8 * 4};
      gint stride[4] = {16, 8, 8};

      gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 60, NULL));
      gst_buffer_add_video_meta_full (buffer, GST_VIDEO_FRAME_FLAG_NONE,
          GST_VIDEO_FORMAT_I420, 16, 8, 3, offset, stride);
    }
    fail_unless_equals_int (gst_harness_push (harness, buffer), GST_FLOW_ERROR);
    fail_unless_equals_int (gst_harness_buffers_received (harness), 0);
    message = element_test_pop (bus, GST_MESSAGE_ERROR);
    fail_unless (message != NULL);
    gst_message_parse_error (message, &error, NULL);
    g_assert_error (error, GST_LIBRARY_ERROR, GST_LIBRARY_ERROR_FAILED);

    g_error_free (error);
    gst_message_unref (message);
    teardown (harness, bus);
  }
}
GST_END_TEST;

/* A preset that has no network of its own says whose it takes: once. */
GST_START_TEST (test_fallback_note)
{
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);
  GstBus *bus = gst_bus_new ();
  GstMessage *message;
  GError *error = NULL;
  gchar *note = NULL;
  SrganNetwork *network;
  const gchar *const *preset, *const *tune;
  gboolean found = FALSE;

  for (preset = srgan_network_list_presets (); *preset && !found; preset++)
    for (tune = srgan_network_list_tunes (); *tune && !found; tune++) {
      gchar *name = g_strdup_printf ("%s-%s", *preset, *tune);

      network = srgan_network_open (name, 2, &note, NULL);
      g_free (name);
      if (network == NULL)
        continue;
      srgan_network_unref (network);
      if (note == NULL)
        continue;
      found = TRUE;
      gst_util_set_object_arg (G_OBJECT (element), "preset", *preset);
      gst_util_set_object_arg (G_OBJECT (element), "tune", *tune);
    }

  gst_element_set_bus (element, bus);
  if (found) {
    fail_unless_equals_int (gst_element_set_state (element, GST_STATE_PAUSED),
        GST_STATE_CHANGE_SUCCESS);
    message = element_test_pop (bus, GST_MESSAGE_WARNING);
    fail_unless (message != NULL);
    gst_message_parse_warning (message, &error, NULL);
    element_test_assert_error (
        error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, note);
    g_error_free (error);
    gst_message_unref (message);
    fail_unless (element_test_pop (bus, GST_MESSAGE_WARNING) == NULL);
    gst_element_set_state (element, GST_STATE_NULL);
  }

  g_free (note);
  gst_element_set_bus (element, NULL);
  gst_object_unref (bus);
  gst_object_unref (element);
}
GST_END_TEST;

/* --- Changes while frames flow -------------------------------------------- */

GST_START_TEST (test_live_scale)
{
  GstHarness *harness = element_test_new_harness (NULL, 1);
  GstVideoInfo info;

  set_info (harness, &info, 16, 8);
  fail_unless_equals_int (push_one (harness, &info, 0), 16);
  g_object_set (
      harness->element, "model", element_test_model (2), "scale", 0, NULL);
  fail_unless_equals_int (push_one (harness, &info, 1), 32);
  g_object_set (harness->element, "model", element_test_model (3), NULL);
  fail_unless_equals_int (push_one (harness, &info, 2), 48);
  g_object_set (harness->element, "scale", 1, NULL);
  fail_unless_equals_int (push_one (harness, &info, 3), 16);
  g_object_set (harness->element, "scale", 3, NULL);
  fail_unless_equals_int (push_one (harness, &info, 4), 48);
  g_object_set (harness->element, "n-threads", 2, NULL);
  fail_unless_equals_int (push_one (harness, &info, 5), 48);
  /* From untouched to restored: the caps stay as they are. */
  g_object_set (
      harness->element, "model", element_test_model (1), "scale", 1, NULL);
  fail_unless_equals_int (push_one (harness, &info, 6), 16);
  g_object_set (harness->element, "model", NULL, NULL);
  fail_unless_equals_int (push_one (harness, &info, 7), 16);

  gst_harness_teardown (harness);
}
GST_END_TEST;

/* The next frame after a change is made by the new network. */
GST_START_TEST (test_live_model)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstHarness *fresh = element_test_new_harness (element_test_rgb_model (2), 0);
  GstVideoInfo info, out_info;
  GstBuffer *a, *b;
  guint8 *pixels, *expected;
  gsize size;

  set_info (harness, &info, 16, 8);
  set_info (fresh, &info, 16, 8);
  gst_video_info_set_format (&out_info, GST_VIDEO_FORMAT_I420, 32, 16);

  push_one (harness, &info, 0);
  g_object_set (harness->element, "model", element_test_rgb_model (2), NULL);
  a = gst_harness_push_and_pull (harness, element_test_new_frame (&info, 1));
  b = gst_harness_push_and_pull (fresh, element_test_new_frame (&info, 1));
  pixels = element_test_dup_pixels (&out_info, a, &size);
  expected = element_test_dup_pixels (&out_info, b, &size);
  fail_unless (memcmp (pixels, expected, size) == 0);

  g_free (expected);
  g_free (pixels);
  gst_buffer_unref (a);
  gst_buffer_unref (b);
  gst_harness_teardown (fresh);
  gst_harness_teardown (harness);
}
GST_END_TEST;

GST_START_TEST (test_live_error)
{
  GstBus *bus;
  GstHarness *harness = new_harness (element_test_model (2), 0, &bus);
  GstVideoInfo info;
  GstMessage *message;
  GError *error;

  set_info (harness, &info, 16, 8);
  push_one (harness, &info, 0);
  g_object_set (harness->element, "scale", 4, NULL);
  fail_unless_equals_int (
      gst_harness_push (harness, element_test_new_frame (&info, 1)),
      GST_FLOW_ERROR);
  message = element_test_pop (bus, GST_MESSAGE_ERROR);
  fail_unless (message != NULL);
  gst_message_parse_error (message, &error, NULL);
  g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
  g_error_free (error);
  gst_message_unref (message);
  teardown (harness, bus);
}
GST_END_TEST;

typedef struct {
  GstElement *element;
  gint stop;
} Stress;

static gpointer
change_scale (gpointer data)
{
  Stress *stress = data;
  guint i;

  for (i = 0; !g_atomic_int_get (&stress->stop); i++) {
    g_object_set (stress->element, "model", element_test_model (1 + i % 4),
        "scale", i % 7 == 0 ? 1 : 0, NULL);
    g_usleep (700);
  }
  return NULL;
}

static gpointer
change_and_read (gpointer data)
{
  Stress *stress = data;
  GstPad *pad = gst_element_get_static_pad (stress->element, "src");
  guint i;

  for (i = 0; !g_atomic_int_get (&stress->stop); i++) {
    GstStructure *stats;
    GstQuery *query;
    gchar *model;

    g_object_set (stress->element, "n-threads", i % 3, NULL);
    g_object_get (stress->element, "stats", &stats, "model", &model, NULL);
    gst_structure_free (stats);
    g_free (model);
    gst_caps_unref (gst_pad_query_caps (pad, NULL));
    query = gst_query_new_latency ();
    gst_pad_query (pad, query);
    gst_query_unref (query);
    g_usleep (300);
  }
  gst_object_unref (pad);
  return NULL;
}

/* Two threads change and read everything while a third pushes frames. */
GST_START_TEST (test_stress)
{
  guint n = element_test_thorough () ? 3000 : 1000, i;
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstVideoInfo info;
  Stress stress = {harness->element, 0};
  GThread *threads[2];

  /* Made before the threads ask for them. */
  for (i = 1; i <= 4; i++)
    element_test_model (i);

  set_info (harness, &info, 16, 8);
  threads[0] = g_thread_new ("scale", change_scale, &stress);
  threads[1] = g_thread_new ("read", change_and_read, &stress);
  for (i = 0; i < n; i++) {
    gint width = push_one (harness, &info, i);

    fail_unless (width % 16 == 0 && width >= 16 && width <= 64);
  }
  g_atomic_int_set (&stress.stop, 1);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  gst_harness_teardown (harness);
}
GST_END_TEST;

/* --- Statistics ----------------------------------------------------------- */

GST_START_TEST (test_stats)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstStructure *stats;
  GstVideoInfo info;
  guint64 frames, dropped, workspace;
  gdouble mean, p50, p95, max;
  const gchar *kernels;
  guint threads, i;

  g_object_get (harness->element, "stats", &stats, NULL);
  fail_unless (gst_structure_get (stats, "frames", G_TYPE_UINT64, &frames,
      "dropped", G_TYPE_UINT64, &dropped, NULL));
  fail_unless_equals_uint64 (frames, 0);
  gst_structure_free (stats);

  g_object_set (harness->element, "n-threads", 2, NULL);
  set_info (harness, &info, 64, 48);
  for (i = 0; i < 9; i++)
    push_one (harness, &info, i);

  g_object_get (harness->element, "stats", &stats, NULL);
  fail_unless (gst_structure_get (stats, "frames", G_TYPE_UINT64, &frames,
      "dropped", G_TYPE_UINT64, &dropped, "ms-mean", G_TYPE_DOUBLE, &mean,
      "ms-p50", G_TYPE_DOUBLE, &p50, "ms-p95", G_TYPE_DOUBLE, &p95, "ms-max",
      G_TYPE_DOUBLE, &max, "threads", G_TYPE_UINT, &threads, "workspace-bytes",
      G_TYPE_UINT64, &workspace, NULL));
  fail_unless_equals_uint64 (frames, 9);
  fail_unless_equals_uint64 (dropped, 0);
  fail_unless (mean > 0 && p50 > 0 && p50 <= p95 && p95 <= max && mean <= max);
  fail_unless_equals_int (threads, 2);
  fail_unless (workspace > 0);
  kernels = gst_structure_get_string (stats, "kernels");
  fail_unless (kernels && *kernels);
  fail_unless (*gst_structure_get_string (stats, "model") != '\0');
  gst_structure_free (stats);

  gst_harness_teardown (harness);
}
GST_END_TEST;

/* Frames that a sink would throw away are not worked on. */
GST_START_TEST (test_dropped)
{
  GstHarness *harness = element_test_new_harness (element_test_model (2), 0);
  GstStructure *stats;
  GstVideoInfo info;
  guint64 dropped;

  set_info (harness, &info, 16, 8);
  push_one (harness, &info, 0);
  gst_harness_push_upstream_event (harness,
      gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 3.0, 10 * GST_SECOND, 0));
  fail_unless_equals_int (
      gst_harness_push (harness, element_test_new_frame (&info, 1)),
      GST_FLOW_OK);
  fail_unless_equals_int (gst_harness_buffers_in_queue (harness), 0);

  g_object_get (harness->element, "stats", &stats, NULL);
  gst_structure_get_uint64 (stats, "dropped", &dropped);
  fail_unless_equals_uint64 (dropped, 1);
  gst_structure_free (stats);
  gst_harness_teardown (harness);
}
GST_END_TEST;

static Suite *
properties_suite (void)
{
  Suite *suite = suite_create ("properties");
  TCase *tcase = tcase_create ("properties");

  suite_add_tcase (suite, tcase);
  tcase_add_test (tcase, test_inspect);
  tcase_add_test (tcase, test_klass);
  tcase_add_test (tcase, test_words);
  tcase_add_test (tcase, test_model_errors);
  tcase_add_test (tcase, test_foreign_models);
  tcase_add_test (tcase, test_recovery);
  tcase_add_test (tcase, test_frame_errors);
  tcase_add_test (tcase, test_fallback_note);
  tcase_add_test (tcase, test_live_scale);
  tcase_add_test (tcase, test_live_model);
  tcase_add_test (tcase, test_live_error);
  tcase_add_test (tcase, test_stress);
  tcase_add_test (tcase, test_stats);
  tcase_add_test (tcase, test_dropped);
  return suite;
}

ELEMENT_TEST_MAIN ("properties", properties_suite)

/* tests: what the element's tests share.
 *
 * SPDX-License-Identifier: MIT
 */
#include "element-test.h"

#include <glib/gstdio.h>
#include <string.h>

#include "test-networks.h"

static gboolean thorough;
static gchar *directory;
static gchar *models[2][5];

gboolean
element_test_init (
    int *argc, char ***argv, const gchar *const *plugins, guint n_plugins)
{
  guint i;

  for (i = 1; (int) i < *argc - 1; i++)
    if (g_str_equal ((*argv)[i], "-m")) {
      thorough = g_str_equal ((*argv)[i + 1], "thorough");
      (*argv)[i] = NULL;
      *argc = i;
      break;
    }

  gst_check_init (argc, argv);

  for (i = 0; i < n_plugins; i++) {
    gchar *path =
        g_strdup_printf ("%s/libgst%s.so", GST_PLUGINS_DIR, plugins[i]);
    GError *error = NULL;
    GstPlugin *plugin = gst_plugin_load_file (path, &error);

    g_free (path);
    if (plugin == NULL) {
      g_print ("skipped: %s\n", error->message);
      g_error_free (error);
      return FALSE;
    }
    gst_object_unref (plugin);
  }

  directory = g_dir_make_tmp ("srgan-element-XXXXXX", NULL);
  g_assert_nonnull (directory);
  return TRUE;
}

void
element_test_cleanup (void)
{
  GDir *dir = g_dir_open (directory, 0, NULL);
  const gchar *name;
  guint i, j;

  while ((name = g_dir_read_name (dir))) {
    gchar *path = g_build_filename (directory, name, NULL);

    g_remove (path);
    g_free (path);
  }
  g_dir_close (dir);
  g_rmdir (directory);
  g_clear_pointer (&directory, g_free);

  for (i = 0; i < 2; i++)
    for (j = 0; j < 5; j++)
      g_clear_pointer (&models[i][j], g_free);
}

gboolean
element_test_thorough (void)
{
  return thorough;
}

const gchar *
element_test_directory (void)
{
  return directory;
}

static const gchar *
get_model (SrganColour colour, guint scale)
{
  gchar **path = &models[colour == SRGAN_COLOUR_RGB][scale];

  if (*path == NULL) {
    TestChain chain = {.colour = colour,
        .scale = scale,
        .channels = 8,
        .n_middle = 1,
        .activation = SRGAN_ACTIVATION_RELU,
        .seed = 1};
    SrganNetwork *network = test_network_new_chain (&chain);
    GError *error = NULL;

    *path = g_strdup_printf ("%s/%s-x%u.safetensors", directory,
        srgan_colour_to_string (colour), scale);
    srgan_network_save (network, *path, &error);
    g_assert_no_error (error);
    srgan_network_unref (network);
  }
  return *path;
}

const gchar *
element_test_model (guint scale)
{
  return get_model (SRGAN_COLOUR_Y, scale);
}

const gchar *
element_test_rgb_model (guint scale)
{
  return get_model (SRGAN_COLOUR_RGB, scale);
}

/* The picture: component @c at (x, y) of a frame of @width x @height, where x
 * and y are in luma samples. Only c, x and y decide, never the format. */
static guint8
picture (guint seed, guint c, guint x, guint y)
{
  guint32 noise = (seed * 31 + c * 7919 + x * 2654435761u) ^ (y * 40503u);
  guint ramp = (c + 2) * x + (5 - c) * y + seed * 17;

  noise = (noise ^ (noise >> 13)) * 1274126177u;
  return 32 + (ramp % 160) + (noise >> 27);
}

GstBuffer *
element_test_new_frame (const GstVideoInfo *info, guint seed)
{
  GstBuffer *buffer =
      gst_buffer_new_allocate (NULL, GST_VIDEO_INFO_SIZE (info), NULL);
  GstVideoFrame frame;
  guint c, x, y;

  gst_buffer_memset (buffer, 0, 0, GST_VIDEO_INFO_SIZE (info));
  g_assert_true (gst_video_frame_map (&frame, info, buffer, GST_MAP_WRITE));

  for (c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&frame); c++)
    for (y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&frame, c); y++)
      for (x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH (&frame, c); x++) {
        guint8 *row = (guint8 *) GST_VIDEO_FRAME_COMP_DATA (&frame, c) +
                      y * GST_VIDEO_FRAME_COMP_STRIDE (&frame, c);

        row[x * GST_VIDEO_FRAME_COMP_PSTRIDE (&frame, c)] =
            picture (seed, c, x << GST_VIDEO_FORMAT_INFO_W_SUB (info->finfo, c),
                y << GST_VIDEO_FORMAT_INFO_H_SUB (info->finfo, c));
      }

  gst_video_frame_unmap (&frame);
  GST_BUFFER_PTS (buffer) = seed * GST_SECOND / 25;
  GST_BUFFER_DURATION (buffer) = GST_SECOND / 25;
  return buffer;
}

guint8 *
element_test_dup_pixels (
    const GstVideoInfo *info, GstBuffer *buffer, gsize *size)
{
  GstVideoFrame frame;
  guint8 *pixels, *next;
  guint c, x, y;

  g_assert_true (gst_video_frame_map (&frame, info, buffer, GST_MAP_READ));
  next = pixels = g_malloc (
      4 * GST_VIDEO_INFO_WIDTH (info) * (gsize) GST_VIDEO_INFO_HEIGHT (info));
  for (c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&frame); c++)
    for (y = 0; y < GST_VIDEO_INFO_COMP_HEIGHT (info, c); y++)
      for (x = 0; x < GST_VIDEO_INFO_COMP_WIDTH (info, c); x++)
        *next++ = ((guint8 *) GST_VIDEO_FRAME_COMP_DATA (
            &frame, c))[y * GST_VIDEO_FRAME_COMP_STRIDE (&frame, c) +
                        x * GST_VIDEO_FRAME_COMP_PSTRIDE (&frame, c)];
  gst_video_frame_unmap (&frame);

  *size = next - pixels;
  return pixels;
}

GstHarness *
element_test_new_harness (const gchar *model, guint scale)
{
  GstElement *element = gst_element_factory_make ("srganupscale", NULL);
  GstHarness *harness;

  g_assert_nonnull (element);
  g_object_set (element, "model", model, "scale", scale, NULL);
  harness = gst_harness_new_with_element (element, "sink", "src");
  gst_object_unref (element);
  return harness;
}

GError *
element_test_run (GstElement *pipeline, gchar **debug)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *message;
  GError *error = NULL;
  gchar *text = NULL;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_bus_timed_pop_filtered (
      bus, 60 * GST_SECOND, GST_MESSAGE_ERROR | GST_MESSAGE_EOS);
  g_assert_nonnull (message);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, &text);
  gst_message_unref (message);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);

  if (debug)
    *debug = text;
  else
    g_free (text);
  return error;
}

GError *
element_test_launch (const gchar *description, gchar **debug)
{
  GError *error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  g_assert_no_error (error);
  error = element_test_run (pipeline, debug);
  gst_object_unref (pipeline);
  return error;
}

void
element_test_assert_error (
    GError *error, GQuark domain, gint code, const gchar *words)
{
  g_assert_error (error, domain, code);
  if (strstr (error->message, words) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, words);
}

GstMessage *
element_test_pop (GstBus *bus, GstMessageType types)
{
  return gst_bus_pop_filtered (bus, types);
}

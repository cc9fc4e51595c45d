/* tests: the plugin as a part of a program, found in no file.
 *
 * SPDX-License-Identifier: MIT
 */
#include <gst/gst.h>

GST_PLUGIN_STATIC_DECLARE (srgan);

static void
test_static (void)
{
  GstElement *element;
  GstPlugin *plugin;

  GST_PLUGIN_STATIC_REGISTER (srgan);
  element = gst_element_factory_make ("srganupscale", NULL);
  g_assert_nonnull (element);
  plugin = gst_plugin_feature_get_plugin (
      GST_PLUGIN_FEATURE (gst_element_get_factory (element)));
  g_assert_null (gst_plugin_get_filename (plugin));
  g_assert_cmpstr (gst_plugin_get_license (plugin), ==, "MIT/X11");
  gst_object_unref (plugin);
  gst_object_unref (element);
}

int
main (int argc, char **argv)
{
  gst_init (NULL, NULL);
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/element/static", test_static);
  return g_test_run ();
}

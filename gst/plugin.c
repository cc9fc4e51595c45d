/* gst-srgan: the plugin: registers its elements.
 *
 * SPDX-License-Identifier: MIT
 */
#include "gstsrganupscale.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  return GST_ELEMENT_REGISTER (srganupscale, plugin);
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR, GST_VERSION_MINOR, srgan,
    "Super-resolution by small networks", plugin_init, PACKAGE_VERSION,
    "MIT/X11", "gst-srgan", "gst-srgan")

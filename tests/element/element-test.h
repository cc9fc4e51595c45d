/* tests: what the element's tests share.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <gst/check/gstcheck.h>
#include <gst/check/gstharness.h>
#include <gst/video/video.h>
#include <srgan/srgan.h>

G_BEGIN_DECLS

/* Defines main() for a suite made by @make_suite: gst_check_init(), the plugins
 * in @..., then the suite. Takes `-m thorough`, as all our tests do. */
#define ELEMENT_TEST_MAIN(name, make_suite, ...)                            \
  int main (int argc, char **argv)                                          \
  {                                                                         \
    static const gchar *const plugins[] = {"coreelements", __VA_ARGS__};    \
    int result;                                                             \
                                                                            \
    if (!element_test_init (&argc, &argv, plugins, G_N_ELEMENTS (plugins))) \
      return 77;                                                            \
    result = gst_check_run_suite (make_suite (), name, __FILE__);           \
    element_test_cleanup ();                                                \
    return result;                                                          \
  }

/* Loads the named plugins of this machine. Returns: FALSE, after saying so,
 * when one of them is missing. */
gboolean element_test_init (
    int *argc, char ***argv, const gchar *const *plugins, guint n_plugins);
void element_test_cleanup (void);

/* TRUE under `-m thorough`. */
gboolean element_test_thorough (void);

/* A model file of a small luma network with random weights that enlarges
 * @scale times (1 .. 4), or of one in RGB. Valid until the test program ends.
 */
const gchar *element_test_model (guint scale);
const gchar *element_test_rgb_model (guint scale);

/* A directory of this test program's own, removed when it ends. */
const gchar *element_test_directory (void);

/* A frame of smooth shapes and some noise that every format shows alike;
 * @seed: which. */
GstBuffer *element_test_new_frame (const GstVideoInfo *info, guint seed);

/* Copies the pixels alone, of one buffer: no padding. Free with g_free(). */
guint8 *element_test_dup_pixels (
    const GstVideoInfo *info, GstBuffer *buffer, gsize *size);

/* A harness around srganupscale with @model (NULL: none) and @scale. */
GstHarness *element_test_new_harness (const gchar *model, guint scale);

/* Plays @pipeline until end of stream or an error.
 * Returns: NULL at end of stream; else the error, with its debug text in
 * @debug (optional). */
GError *element_test_run (GstElement *pipeline, gchar **debug);

/* As element_test_run(), from a description for gst_parse_launch(). */
GError *element_test_launch (const gchar *description, gchar **debug);

/* Fails unless @error is of @domain and @code and its message has @words. */
void element_test_assert_error (
    GError *error, GQuark domain, gint code, const gchar *words);

/* The first message of @types from @bus, if there is any by now. */
GstMessage *element_test_pop (GstBus *bus, GstMessageType types);

G_END_DECLS

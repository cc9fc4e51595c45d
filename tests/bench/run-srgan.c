/* tests: runs a network on raw floats, for compare-peers.sh.
 *
 *   run-srgan --write FOLDER        g1 .. g4, and their leaky twins ready for
 * int8, as models run-srgan MODEL WxH INPUT OUTPUT THREADS RUNS PRECISION
 *
 * INPUT is [3][H][W], float32 in 0 .. 1; OUTPUT likewise, enlarged. Prints
 * {"times": [milliseconds of each run]}; two more come first, for the caches.
 *
 * SPDX-License-Identifier: MIT
 */
#include "bench-networks.h"

#include <srgan/srgan.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP 2

static gint
fail (GError *error)
{
  g_printerr ("run-srgan: %s\n", error->message);
  g_error_free (error);
  return 1;
}

static gint
write_networks (const gchar *folder)
{
  for (const BenchNetwork *bench = bench_networks; bench->name; bench++)
    for (guint leaky = 0; leaky < 2; leaky++) {
      GError *error = NULL;
      g_autofree gchar *path = g_strdup_printf (
          "%s/%s%s.safetensors", folder, bench->name, leaky ? "-leaky" : "");
      g_autoptr (SrganNetwork) network =
          leaky ? bench_network_new_int8 (bench->name, &error)
                : bench_network_new (bench->name, FALSE, &error);

      if (leaky &&
          g_error_matches (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED)) {
        g_printerr ("run-srgan: %s\n", error->message);
        g_clear_error (&error);
        network = bench_network_new (bench->name, TRUE, &error);
      }
      if (!network || !srgan_network_save (network, path, &error))
        return fail (error);
      printf ("%s %u %u\n", bench->name, bench->width, bench->height);
    }
  return 0;
}

static void
set_planes (SrganFrame *frame, gfloat *pixels, gsize width, gsize height)
{
  for (guint i = 0; i < 3; i++) {
    frame->component[i] = pixels + i * width * height;
    frame->stride[i] = width * sizeof (gfloat);
  }
}

static gint
run (gchar **arguments)
{
  SrganPlanSettings settings = {.layout = {.kind = SRGAN_LAYOUT_RGB,
                                    .sample = SRGAN_SAMPLE_FLOAT,
                                    .pixel_stride = {1, 1, 1},
                                    .matrix_kr = .299,
                                    .matrix_kb = .114,
                                    .full_range = TRUE},
      .n_threads = (guint) atoi (arguments[4]),
      .precision = strcmp (arguments[6], "int8") == 0 ? SRGAN_PRECISION_INT8
                                                      : SRGAN_PRECISION_FP32};
  const gint n_runs = atoi (arguments[5]);
  GError *error = NULL;
  SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};
  g_autoptr (SrganNetwork) network = NULL;
  g_autoptr (SrganPlan) plan = NULL;
  g_autofree gchar *input = NULL;
  g_autofree gfloat *output = NULL;
  gsize bytes, n;
  guint scale;

  if (sscanf (arguments[1], "%ux%u", &settings.width, &settings.height) != 2) {
    g_printerr ("run-srgan: '%s' is not WxH\n", arguments[1]);
    return 2;
  }
  network = srgan_network_load (arguments[0], &error);
  if (!network)
    return fail (error);
  plan = srgan_plan_new (network, &settings, &error);
  if (!plan || !g_file_get_contents (arguments[2], &input, &bytes, &error))
    return fail (error);
  n = (gsize) 3 * settings.width * settings.height;
  if (bytes != n * sizeof (gfloat)) {
    g_printerr ("run-srgan: %s does not hold 3 x %s floats\n", arguments[2],
        arguments[1]);
    return 1;
  }
  scale = srgan_network_get_scale (network);
  output = g_new (gfloat, n * scale * scale);
  set_planes (&in, (gfloat *) input, settings.width, settings.height);
  set_planes (&out, output, settings.width * scale, settings.height * scale);

  printf ("{\"times\": [");
  for (gint i = -WARM_UP; i < n_runs; i++) {
    gint64 start = g_get_monotonic_time ();

    srgan_plan_run (plan, &in, &out);
    if (i >= 0)
      printf ("%s%.3f", i ? ", " : "", (g_get_monotonic_time () - start) / 1e3);
  }
  printf ("]}\n");
  if (!g_file_set_contents (arguments[3], (const gchar *) output,
          (gssize) (n * scale * scale * sizeof (gfloat)), &error))
    return fail (error);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--write") == 0)
    return write_networks (argv[2]);
  if (argc == 8)
    return run (argv + 1);
  g_printerr ("run-srgan: see compare-peers.sh\n");
  return 2;
}

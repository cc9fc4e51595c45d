/* The convolution by im2col and its derivative by the weight against loops,
 * and the engine's kernels, with which networks are trained, against both.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/convolve.h"

#include <math.h>
#include <string.h>

#include "train/graph.h"
#include "train/random.h"

#define WIDTH 37
#define HEIGHT 23

static void
fill (const SrganMap *map, SrganRandom *random)
{
  for (guint y = 0; y < map->height; y++)
    for (guint x = 0; x < map->width; x++)
      for (guint c = 0; c < map->channels; c++)
        srgan_map_row (map, y)[x * map->stride + c] =
            (gfloat) srgan_random_between (random, -1, 1);
}

/* Sums in double precision what a tap of the weight meets. */
static gdouble
get_pixel (const SrganMap *map, gint x, gint y, guint c)
{
  if (x < 0 || y < 0 || x >= (gint) map->width || y >= (gint) map->height)
    return 0;
  return srgan_map_row (map, (guint) y)[(gsize) x * map->stride + c];
}

typedef struct {
  guint in, in_stride, out, out_stride, kernel;
} Shape;

static const Shape shapes[] = {
    {1, 1, 16, 16, 3},
    {16, 16, 16, 16, 3},
    {16, 16, 4, 4, 3},
    {3, 4, 5, 8, 5},
    {7, 7, 3, 3, 1},
    {2, 16, 9, 9, 9},
};

static void
test_convolve (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
    const Shape *s = shapes + i;
    guint taps = s->kernel * s->kernel, half = s->kernel / 2;
    gsize n = (gsize) s->out * taps * s->in;
    g_autofree gfloat *weight = g_new (gfloat, n);
    g_autofree gfloat *gradient = g_new0 (gfloat, n);
    g_autofree gfloat *scratch = NULL;
    SrganMap input, output, change;
    SrganRandom random = srgan_random_init (i, 0, 0);

    g_assert_true (
        srgan_map_init (&input, WIDTH, HEIGHT, s->in, s->in_stride, half + 1));
    g_assert_true (srgan_map_init (
        &output, WIDTH, HEIGHT, s->out, s->out_stride, half + 1));
    g_assert_true (srgan_map_init (
        &change, WIDTH, HEIGHT, s->out, s->out_stride, half + 1));
    scratch = g_new (gfloat, srgan_convolve_get_scratch (&input, s->kernel));
    fill (&input, &random);
    fill (&change, &random);
    for (gsize k = 0; k < n; k++)
      weight[k] = (gfloat) srgan_random_between (&random, -1, 1);

    srgan_convolve (&input, weight, s->kernel, &output, scratch);
    srgan_convolve_weight_gradient (
        &input, &change, s->kernel, gradient, scratch);

    for (guint o = 0; o < s->out; o++)
      for (guint y = 0; y < HEIGHT; y++)
        for (guint x = 0; x < WIDTH; x++) {
          gdouble sum = 0;

          for (guint t = 0; t < taps; t++)
            for (guint c = 0; c < s->in; c++)
              sum += weight[(o * taps + t) * s->in + c] *
                     get_pixel (&input, (gint) (x + t % s->kernel) - half,
                         (gint) (y + t / s->kernel) - half, c);
          g_assert_cmpfloat_with_epsilon (
              srgan_map_row (&output, y)[x * output.stride + o], sum, 1e-4);
        }
    for (guint o = 0; o < s->out; o++)
      for (guint t = 0; t < taps; t++)
        for (guint c = 0; c < s->in; c++) {
          gdouble sum = 0;

          for (guint y = 0; y < HEIGHT; y++)
            for (guint x = 0; x < WIDTH; x++)
              sum += get_pixel (&change, (gint) x, (gint) y, o) *
                     get_pixel (&input, (gint) (x + t % s->kernel) - half,
                         (gint) (y + t / s->kernel) - half, c);
          g_assert_cmpfloat_with_epsilon (
              gradient[(o * taps + t) * s->in + c], sum, 1e-3);
        }
    /* the border stays zero */
    for (guint y = 0; y < HEIGHT; y++)
      for (guint k = 0; k < output.border * output.stride; k++) {
        g_assert_cmpfloat (srgan_map_row (&output, y)[-1 - (gint) k], ==, 0);
        g_assert_cmpfloat (
            srgan_map_row (&output, y)[WIDTH * output.stride + k], ==, 0);
      }
    srgan_map_clear (&input);
    srgan_map_clear (&output);
    srgan_map_clear (&change);
  }
}

/* One layer through the graph, that is through the engine's kernels. */
static void
test_kernels (void)
{
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("one", SRGAN_COLOUR_RGB, 1);
  const guint n = 3 * 9 * 3;
  g_autofree gfloat *weight = g_new (gfloat, n);
  g_autofree gfloat *parameters = g_new (gfloat, n);
  g_autofree gfloat *values = g_new (gfloat, WIDTH * HEIGHT * 3);
  g_autofree gfloat *result = g_new (gfloat, WIDTH * HEIGHT * 3);
  g_autofree gfloat *scratch = NULL;
  g_autoptr (SrganGraph) graph = NULL;
  g_autoptr (SrganGraphState) state = NULL;
  SrganMap input, output;
  SrganRandom random = srgan_random_init (9, 0, 0);
  GError *error = NULL;
  SrganLayer layer = {
      .name = (gchar *) "a",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 3,
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 1,
      .groups = 1,
      .weight = weight,
  };

  for (guint i = 0; i < n; i++)
    weight[i] = (gfloat) srgan_random_between (&random, -1, 1);
  srgan_network_add_layer (network, &layer, &error);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  graph = srgan_graph_new (network, &error);
  g_assert_no_error (error);
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_set_parameters (graph, parameters);
  state = srgan_graph_state_new (graph, WIDTH, HEIGHT, FALSE);

  srgan_map_init (&input, WIDTH, HEIGHT, 3, 3, 1);
  srgan_map_init (&output, WIDTH, HEIGHT, 3, 3, 1);
  fill (&input, &random);
  for (guint y = 0; y < HEIGHT; y++)
    memcpy (values + y * WIDTH * 3, srgan_map_row (&input, y),
        WIDTH * 3 * sizeof (gfloat));
  scratch = g_new (gfloat, srgan_convolve_get_scratch (&input, 3));
  srgan_convolve (&input, parameters, 3, &output, scratch);
  srgan_graph_forward (state, values, result);
  for (guint y = 0; y < HEIGHT; y++)
    for (guint i = 0; i < WIDTH * 3; i++)
      g_assert_cmpfloat_with_epsilon (
          result[y * WIDTH * 3 + i], srgan_map_row (&output, y)[i], 1e-5);
  srgan_map_clear (&input);
  srgan_map_clear (&output);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/convolve/loops", test_convolve);
  g_test_add_func ("/train/convolve/kernels", test_kernels);
  return g_test_run ();
}

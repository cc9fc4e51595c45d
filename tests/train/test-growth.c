/* A network that is grown from a smaller one computes the same.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/growth.h"

#include <srgan/srgan-engine.h>

#include <string.h>

#include "train/design.h"
#include "train/random.h"

#define SIDE 12

static SrganNetwork *
design (const gchar *channels, const gchar *layers, const gchar *activation,
    const gchar *scale, const gchar *seed)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  SrganNetwork *network;
  GError *error = NULL;

  srgan_recipe_set (recipe, "network", "channels", channels, &error);
  g_assert_no_error (error);
  srgan_recipe_set (recipe, "network", "layers", layers, &error);
  g_assert_no_error (error);
  srgan_recipe_set (recipe, "network", "activation", activation, &error);
  g_assert_no_error (error);
  srgan_recipe_set (recipe, "network", "scale", scale, &error);
  g_assert_no_error (error);
  srgan_recipe_set (recipe, "training", "seed", seed, &error);
  g_assert_no_error (error);
  network = srgan_design_network (recipe, &error);
  g_assert_no_error (error);
  return network;
}

static gfloat *
compute (SrganNetwork *network, guint *n)
{
  SrganRandom random = srgan_random_init (3, 0, 0);
  gfloat input[SIDE * SIDE], *output;
  guint width, height;
  GError *error = NULL;

  for (guint i = 0; i < SIDE * SIDE; i++)
    input[i] = (gfloat) srgan_random_between (&random, 0, 1);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  output = srgan_network_run_tensor (
      network, input, SIDE, SIDE, 1, &width, &height, &error);
  g_assert_no_error (error);
  *n = width * height;
  return output;
}

static void
test_same (void)
{
  static const gchar *const cases[][5] = {
      /* channels, layers; grown: channels, layers; activation */
      {"4", "2", "7", "2", "prelu"}, {"4", "2", "4", "5", "prelu"},
      {"4", "2", "7", "5", "prelu"}, {"4", "0", "5", "3", "prelu"},
      {"3", "1", "8", "4", "relu"}, {"4", "2", "6", "2", "leaky-relu"},
      {"4", "2", "4", "2", "prelu"}, {"4", "0", "6", "0", "prelu"}};

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    const gchar *const *c = cases[i];
    g_autoptr (SrganNetwork) small = design (c[0], c[1], c[4], "2", "1");
    g_autoptr (SrganNetwork) large = design (c[2], c[3], c[4], "2", "2");
    g_autoptr (SrganNetwork) grown = NULL;
    g_autofree gfloat *expected = NULL, *got = NULL;
    guint n, n_got;
    GError *error = NULL;

    grown = srgan_grow_network (large, small, &error);
    g_assert_no_error (error);
    expected = compute (small, &n);
    got = compute (grown, &n_got);
    g_assert_cmpuint (n_got, ==, n);
    for (guint k = 0; k < n; k++)
      g_assert_cmpfloat_with_epsilon (got[k], expected[k], 1e-5);
    g_assert_true (srgan_network_finish (large, NULL));
    g_assert_cmpuint (srgan_network_get_n_parameters (grown), ==,
        srgan_network_get_n_parameters (large));
  }
}

/* Channels that are added are no copies of each other, and what reads them
 * begins at 0. */
static void
test_added (void)
{
  g_autoptr (SrganNetwork) small = design ("2", "1", "prelu", "2", "1");
  g_autoptr (SrganNetwork) large = design ("4", "1", "prelu", "2", "2");
  g_autoptr (SrganNetwork) grown = srgan_grow_network (large, small, NULL);
  const SrganLayer *body;

  g_assert_nonnull (grown);
  body = srgan_network_get_layer (
      grown, (guint) srgan_network_find_layer (grown, "body1"));
  for (guint tap = 0; tap < 9; tap++) {
    g_assert_cmpfloat (body->weight[(0 * 4 + 2) * 9 + tap], ==, 0);
    g_assert_cmpfloat (body->weight[(1 * 4 + 3) * 9 + tap], ==, 0);
    g_assert_cmpfloat (body->weight[(2 * 4 + 0) * 9 + tap], !=,
        body->weight[(3 * 4 + 0) * 9 + tap]);
  }
}

/* Of another scale: all but the last convolution. */
static void
test_scale (void)
{
  g_autoptr (SrganNetwork) small = design ("4", "1", "prelu", "2", "1");
  g_autoptr (SrganNetwork) large = design ("6", "1", "prelu", "3", "2");
  g_autoptr (SrganNetwork) grown = srgan_grow_network (large, small, NULL);
  const SrganLayer *first, *last, *drawn;
  gint index;

  g_assert_nonnull (grown);
  first = srgan_network_get_layer (grown, 0);
  g_assert_cmpmem (first->weight, 4 * 9 * sizeof (gfloat),
      srgan_network_get_layer (small, 0)->weight, 4 * 9 * sizeof (gfloat));
  index = srgan_network_find_layer (large, "last");
  drawn = srgan_network_get_layer (large, (guint) index);
  last = srgan_network_get_layer (grown, (guint) index);
  g_assert_cmpmem (last->weight, 9 * 6 * 9 * sizeof (gfloat), drawn->weight,
      9 * 6 * 9 * sizeof (gfloat));
}

static void
test_refused (void)
{
  static const struct {
    const gchar *small[3], *large[3], *said;
  } wrong[] = {
      {{"8", "2", "prelu"}, {"7", "2", "prelu"}, "network.channels"},
      {{"4", "3", "prelu"}, {"8", "2", "prelu"}, "network.layers"},
      {{"4", "2", "relu"}, {"8", "2", "prelu"}, "network.activation"},
      {{"4", "2", "leaky-relu"}, {"8", "3", "leaky-relu"}, "cannot be undone"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    const gchar *const *s = wrong[i].small, *const *l = wrong[i].large;
    g_autoptr (SrganNetwork) small = design (s[0], s[1], s[2], "2", "1");
    g_autoptr (SrganNetwork) large = design (l[0], l[1], l[2], "2", "2");
    g_autoptr (GError) error = NULL;

    g_assert_null (srgan_grow_network (large, small, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
    g_assert_nonnull (strstr (error->message, wrong[i].said));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/growth/same", test_same);
  g_test_add_func ("/train/growth/added", test_added);
  g_test_add_func ("/train/growth/scale", test_scale);
  g_test_add_func ("/train/growth/refused", test_refused);
  return g_test_run ();
}

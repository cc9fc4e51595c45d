/* Adam and SOAP on problems with known answers.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/optimizer.h"

#include <math.h>
#include <string.h>

#include "train/random.h"

#define ROWS 5
#define COLUMNS 8

/* Half the squared length of A (X - X0) B, with A and B ill-conditioned and
 * rotated, so that no axis of X is an axis of the valley. */
typedef struct {
  gdouble left[ROWS][ROWS];        /* A' A */
  gdouble right[COLUMNS][COLUMNS]; /* B B' */
  gfloat answer[ROWS * COLUMNS];
} Valley;

static void
make_form (gdouble *form, guint n, gdouble spread, SrganRandom *random)
{
  g_autofree gdouble *vector = g_new (gdouble, n);
  gdouble length = 0;

  /* a reflection of a diagonal from 1 down to 1 / spread */
  for (guint i = 0; i < n; i++) {
    vector[i] = srgan_random_between (random, -1, 1);
    length += vector[i] * vector[i];
  }
  for (guint i = 0; i < n; i++)
    for (guint k = 0; k < n; k++) {
      form[i * n + k] = 0;
      for (guint m = 0; m < n; m++) {
        gdouble a = (i == m) - 2 * vector[i] * vector[m] / length;
        gdouble b = (k == m) - 2 * vector[k] * vector[m] / length;

        form[i * n + k] += a * b * pow (spread, -(gdouble) m / (n - 1));
      }
    }
}

static void
get_gradient (const Valley *valley, const gfloat *x, gfloat *gradient)
{
  for (guint i = 0; i < ROWS; i++)
    for (guint k = 0; k < COLUMNS; k++) {
      gdouble sum = 0;

      for (guint a = 0; a < ROWS; a++)
        for (guint b = 0; b < COLUMNS; b++)
          sum += valley->left[i][a] *
                 (x[a * COLUMNS + b] - valley->answer[a * COLUMNS + b]) *
                 valley->right[b][k];
      gradient[i * COLUMNS + k] = (gfloat) sum;
    }
}

static SrganWorkers *workers;

/* How far the optimizer ends from the answer. */
static gdouble
descend (const gchar *optimizer, guint steps)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autofree gchar *text = g_strdup_printf ("%u", steps);
  g_autoptr (SrganOptimizer) descent = NULL;
  const SrganParameter tensor = {0, SRGAN_PARAMETER_WEIGHT, 0, ROWS, COLUMNS};
  Valley valley;
  SrganRandom random = srgan_random_init (5, 0, 0);
  gfloat x[ROWS * COLUMNS] = {0}, gradient[ROWS * COLUMNS];
  gdouble distance = 0;

  make_form (valley.left[0], ROWS, 100, &random);
  make_form (valley.right[0], COLUMNS, 100, &random);
  for (guint i = 0; i < ROWS * COLUMNS; i++)
    valley.answer[i] = (gfloat) srgan_random_between (&random, -1, 1);
  g_assert_true (
      srgan_recipe_set (recipe, "training", "optimizer", optimizer, NULL));
  g_assert_true (srgan_recipe_set (recipe, "training", "steps", text, NULL));
  g_assert_true (
      srgan_recipe_set (recipe, "training", "learning-rate", "0.03", NULL));
  descent = srgan_optimizer_new (recipe, &tensor, 1, workers);
  for (guint i = 0; i < steps; i++) {
    get_gradient (&valley, x, gradient);
    srgan_optimizer_step (descent, i, x, gradient);
  }
  for (guint i = 0; i < ROWS * COLUMNS; i++)
    distance += (x[i] - valley.answer[i]) * (x[i] - valley.answer[i]);
  return sqrt (distance);
}

static void
test_descent (void)
{
  gdouble adam = descend ("adam", 1500);
  gdouble soap = descend ("soap", 1500);

  g_test_message ("distance left: adam %g, soap %g", adam, soap);
  g_assert_cmpfloat (soap, <, .01);
  /* in its valleys' own axes it is ahead of Adam: what it is for */
  g_assert_cmpfloat (soap, <, adam / 2);
}

/* Adam's first two steps by hand. */
static void
test_adam (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autoptr (SrganOptimizer) optimizer = NULL;
  const SrganParameter tensor = {0, SRGAN_PARAMETER_BIAS, 0, 1, 2};
  gfloat x[] = {1, -1};
  gdouble m[2] = {0}, v[2] = {0}, expected[2] = {1, -1};
  const gfloat gradients[2][2] = {{.5f, -4}, {1, 2}};

  g_assert_true (srgan_recipe_set (recipe, "training", "warm-up", "4", NULL));
  optimizer = srgan_optimizer_new (recipe, &tensor, 1, workers);
  for (guint step = 0; step < 2; step++) {
    gfloat gradient[2];
    gdouble rate =
        .001 * (step + 1) / 4 * .5 * (1 + cos (G_PI * step / recipe->steps));

    memcpy (gradient, gradients[step], sizeof gradient);
    srgan_optimizer_step (optimizer, step, x, gradient);
    for (guint i = 0; i < 2; i++) {
      gdouble g = gradients[step][i];

      m[i] = .9 * m[i] + .1 * g;
      v[i] = .999 * v[i] + .001 * g * g;
      expected[i] -= rate * (m[i] / (1 - pow (.9, step + 1))) /
                     sqrt (v[i] / (1 - pow (.999, step + 1)));
      g_assert_cmpfloat_with_epsilon (x[i], expected[i], 1e-6);
    }
  }
}

/* Tensors that two threads share get the steps of one thread, bit for bit. */
static void
test_threads (void)
{
  const SrganParameter tensors[] = {{0, SRGAN_PARAMETER_WEIGHT, 0, 7, 20},
      {0, SRGAN_PARAMETER_BIAS, 140, 7, 1},
      {1, SRGAN_PARAMETER_WEIGHT, 147, 5, 63},
      {1, SRGAN_PARAMETER_BIAS, 462, 5, 1},
      {2, SRGAN_PARAMETER_WEIGHT, 467, 4, 45}};
  gfloat x[2][647] = {{0}}, gradient[647];

  for (guint i = 0; i < 2; i++) {
    g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
    g_autoptr (SrganOptimizer) optimizer = NULL;
    SrganWorkers *team = srgan_workers_new (i + 1, NULL);
    SrganRandom random = srgan_random_init (9, 0, 0);

    g_assert_nonnull (team);
    g_assert_true (
        srgan_recipe_set (recipe, "training", "optimizer", "soap", NULL));
    g_assert_true (
        srgan_recipe_set (recipe, "training", "basis-interval", "3", NULL));
    optimizer =
        srgan_optimizer_new (recipe, tensors, G_N_ELEMENTS (tensors), team);
    for (guint step = 0; step < 20; step++) {
      for (guint k = 0; k < G_N_ELEMENTS (gradient); k++)
        gradient[k] = (gfloat) srgan_random_between (&random, -1, 1);
      srgan_optimizer_step (optimizer, step, x[i], gradient);
    }
    srgan_workers_free (team);
  }
  g_assert_cmpmem (x[0], sizeof x[0], x[1], sizeof x[1]);
  for (guint k = 0; k < G_N_ELEMENTS (gradient); k++)
    g_assert_cmpfloat (x[0][k], !=, 0);
}

static void
test_rate (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();

  g_assert_true (srgan_recipe_set (recipe, "training", "steps", "1000", NULL));
  g_assert_true (srgan_recipe_set (recipe, "training", "warm-up", "100", NULL));
  g_assert_cmpfloat_with_epsilon (
      srgan_optimizer_get_rate (recipe, 0), .01, 1e-6);
  g_assert_cmpfloat_with_epsilon (srgan_optimizer_get_rate (recipe, 99),
      .5 * (1 + cos (G_PI * .099)), 1e-6);
  g_assert_cmpfloat_with_epsilon (
      srgan_optimizer_get_rate (recipe, 500), .5, 1e-6);
  g_assert_cmpfloat_with_epsilon (
      srgan_optimizer_get_rate (recipe, 1000), 0, 1e-6);
}

/* A gradient that is far longer than usual is shortened. */
static void
test_clip (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autoptr (SrganOptimizer) optimizer = NULL;
  const SrganParameter tensor = {0, SRGAN_PARAMETER_BIAS, 0, 1, 2};
  gfloat x[2] = {0};
  gfloat gradient[2] = {3, 4};

  g_assert_true (srgan_recipe_set (recipe, "training", "clip", "2", NULL));
  optimizer = srgan_optimizer_new (recipe, &tensor, 1, workers);
  srgan_optimizer_step (optimizer, 0, x, gradient);
  g_assert_cmpfloat (gradient[0], ==, 3);
  gradient[0] = 300;
  gradient[1] = -400;
  srgan_optimizer_step (optimizer, 1, x, gradient);
  g_assert_cmpfloat_with_epsilon (gradient[0], 6, 1e-4);
  g_assert_cmpfloat_with_epsilon (gradient[1], -8, 1e-4);
}

/* Three cycles, each twice as long and half as high as the one before. */
static void
test_restarts (void)
{
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();

  srgan_recipe_set (recipe, "training", "steps", "700", NULL);
  srgan_recipe_set (recipe, "training", "warm-up", "0", NULL);
  srgan_recipe_set (recipe, "training", "restarts", "2", NULL);
  srgan_recipe_set (recipe, "training", "restart-length", "2", NULL);
  srgan_recipe_set (recipe, "training", "restart-rate", "0.5", NULL);
  g_assert_cmpfloat (srgan_optimizer_get_rate (recipe, 0), ==, 1);
  g_assert_cmpfloat_with_epsilon (
      srgan_optimizer_get_rate (recipe, 50), .5, 1e-6);
  g_assert_cmpfloat (srgan_optimizer_get_rate (recipe, 99), <, .001);
  g_assert_cmpfloat (srgan_optimizer_get_rate (recipe, 100), ==, .5);
  g_assert_cmpfloat_with_epsilon (
      srgan_optimizer_get_rate (recipe, 200), .25, 1e-6);
  g_assert_cmpfloat (srgan_optimizer_get_rate (recipe, 300), ==, .25);
  g_assert_cmpfloat_with_epsilon (
      srgan_optimizer_get_rate (recipe, 700), 0, 1e-6);
  srgan_recipe_set (recipe, "training", "restart-length", "1", NULL);
  g_assert_cmpfloat (srgan_optimizer_get_rate (recipe, 233), ==, .5);
}

int
main (int argc, char **argv)
{
  gint result;

  g_test_init (&argc, &argv, NULL);
  workers = srgan_workers_new (1, NULL);
  g_assert_nonnull (workers);
  g_test_add_func ("/train/optimizer/adam", test_adam);
  g_test_add_func ("/train/optimizer/descent", test_descent);
  g_test_add_func ("/train/optimizer/rate", test_rate);
  g_test_add_func ("/train/optimizer/restarts", test_restarts);
  g_test_add_func ("/train/optimizer/clip", test_clip);
  g_test_add_func ("/train/optimizer/threads", test_threads);
  result = g_test_run ();
  srgan_workers_free (workers);
  return result;
}

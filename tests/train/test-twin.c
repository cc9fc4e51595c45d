/* tests: examples/pytorch: the same networks and losses as ours. The folder
 * that test-twin.py is given has for each CASE
 *
 *   CASE.conf              the recipe, made here
 *   CASE.in                an input [channel][row][column], made here
 *   CASE-ours.safetensors  our network, made here; -state, as a state dict
 *   CASE-ours.out          what it gives, from there
 *   CASE-twin.safetensors  its network, from there
 *   CASE-twin.out          what it gives, from there
 *   CASE-rival.in, -rival.safetensors, -rival.out: its discriminator, likewise
 *
 * and for losses output.in, target.in, features.safetensors, KIND.out; and
 * defaults.ini, every key of ours.
 *
 * SPDX-License-Identifier: MIT
 */
#include "pictures.h"

#include <gio/gio.h>
#include <math.h>
#include <srgan/srgan-convert.h>
#include <srgan/srgan.h>
#include <string.h>
#include <unistd.h>

#include "train/criterion.h"
#include "train/design.h"
#include "train/graph.h"

#define SIDE 12      /* of the networks' inputs */
#define LOSS_SIDE 48 /* of what is compared by losses */

typedef struct {
  const gchar *name;
  gboolean state; /* whether srgan-convert --to pytorch writes it */
  const gchar *recipe;
} Case;

static const Case cases[] = {
    {"chain", TRUE,
        "[network]\nscale=4\nchannels=16\nlayers=3\n[adversarial]\n"
        "channels=4\ndiscriminator=unet\n"},
    {"colour", FALSE,
        "[network]\nscale=3\nchannels=5\nlayers=1\ncolour=rgb\n"
        "activation=leaky-relu\nskip=bicubic\n[adversarial]\nchannels=4\n"
        "discriminator=patch\n"},
    {"srresnet", FALSE,
        "[network]\ndesign=srresnet\nscale=4\nchannels=8\nlayers=2\n"
        "colour=rgb\nskip=none\n[adversarial]\nchannels=4\n"
        "discriminator=srgan\n"},
};

static const gchar *const kinds[] = {
    "l1", "charbonnier", "l2", "original-l1", "original-l2"};

static gchar *folder;

static gchar *
get_path (const gchar *name, const gchar *suffix)
{
  g_autofree gchar *file = g_strconcat (name, suffix, NULL);

  return g_build_filename (folder, file, NULL);
}

/* Whatever numbers, 0 .. 1; the next file's are others. */
static gfloat *
write_numbers (const gchar *name, const gchar *suffix, gsize n)
{
  g_autofree gchar *path = get_path (name, suffix);
  gfloat *values = g_new (gfloat, n);
  static guint drawn;

  for (gsize i = 0; i < n; i++)
    values[i] = (gfloat) (.5 + .4 * cos (.1 * i) * sin (++drawn * .37));
  g_assert_true (g_file_set_contents (
      path, (const gchar *) values, (gssize) (n * sizeof (gfloat)), NULL));
  return values;
}

static gfloat *
read_numbers (const gchar *name, const gchar *suffix, gsize *n)
{
  g_autofree gchar *path = get_path (name, suffix);
  GError *error = NULL;
  gchar *values;

  g_file_get_contents (path, &values, n, &error);
  g_assert_no_error (error);
  *n /= sizeof (gfloat);
  return (gfloat *) values;
}

static SrganRecipe *
load_recipe (const gchar *name)
{
  g_autofree gchar *path = get_path (name, ".conf");
  SrganRecipe *recipe = srgan_recipe_new ();
  GError *error = NULL;

  srgan_recipe_load (recipe, path, &error);
  g_assert_no_error (error);
  return recipe;
}

static void
write_case (const Case *made)
{
  g_autofree gchar *text =
      g_strdup_printf ("%s[data]\npatch=%d\n", made->recipe, SIDE);
  g_autofree gchar *conf = get_path (made->name, ".conf");
  g_autofree gchar *ours = get_path (made->name, "-ours.safetensors");
  g_autofree gchar *state = get_path (made->name, "-state.safetensors");
  g_autoptr (SrganNetwork) network = NULL;
  GError *error = NULL;
  SrganRecipe *recipe;
  guint channels;

  g_assert_true (g_file_set_contents (conf, text, -1, NULL));
  recipe = load_recipe (made->name);
  channels = srgan_recipe_get_channels (recipe);
  network = srgan_design_network (recipe, &error);
  g_assert_no_error (error);
  srgan_network_finish (network, &error);
  g_assert_no_error (error);
  srgan_network_save (network, ours, &error);
  g_assert_no_error (error);
  if (made->state) {
    srgan_convert_write (network, state,
        &(SrganWriteOptions){.target = SRGAN_TARGET_PYTORCH}, &error);
    g_assert_no_error (error);
  }
  g_free (write_numbers (made->name, ".in", channels * SIDE * SIDE));
  g_free (write_numbers (made->name, "-rival.in",
      channels * SIDE * SIDE * recipe->scale * recipe->scale));
  srgan_recipe_free (recipe);
}

/* Runs the twin on the folder. FALSE: there is no PyTorch. */
static gboolean
run_twin (void)
{
  const gchar *root = g_getenv ("SRGAN_SOURCE_ROOT");
  g_autofree gchar *twin =
      g_build_filename (root, "examples", "pytorch", "twin.py", NULL);
  g_autofree gchar *script =
      g_build_filename (root, "tests", "train", "test-twin.py", NULL);
  g_autoptr (GSubprocess) process = NULL;
  g_autofree gchar *output = NULL;
  g_autofree gchar *defaults = get_path ("defaults", ".ini");
  g_autoptr (SrganRecipe) recipe = srgan_recipe_new ();
  g_autofree gchar *text = srgan_recipe_to_string (recipe, TRUE);
  GError *error = NULL;

  g_assert_true (g_file_set_contents (defaults, text, -1, NULL));
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++)
    write_case (cases + i);
  g_free (write_numbers ("output", ".in", 3 * LOSS_SIDE * LOSS_SIDE));
  g_free (write_numbers ("target", ".in", 3 * LOSS_SIDE * LOSS_SIDE));
  if (access ("/usr/bin/python3", X_OK) != 0)
    return FALSE;
  process = g_subprocess_new (
      G_SUBPROCESS_FLAGS_STDOUT_PIPE | G_SUBPROCESS_FLAGS_STDERR_MERGE, &error,
      "/usr/bin/python3", script, twin, folder, NULL);
  g_assert_no_error (error);
  g_subprocess_communicate_utf8 (process, NULL, NULL, &output, NULL, &error);
  g_assert_no_error (error);
  if (*output != '\0')
    g_test_message ("%s", output);
  g_assert_true (g_subprocess_get_if_exited (process));
  if (g_subprocess_get_exit_status (process) == 77)
    return FALSE;
  g_assert_cmpint (g_subprocess_get_exit_status (process), ==, 0);
  return TRUE;
}

static void
compare (const gfloat *a, const gfloat *b, gsize n, gdouble limit)
{
  gdouble difference = 0, largest = 0;

  for (gsize i = 0; i < n; i++) {
    difference = MAX (difference, fabs ((gdouble) a[i] - b[i]));
    largest = MAX (largest, fabs (a[i]));
    g_assert_true (isfinite (a[i]) && isfinite (b[i]));
  }
  g_test_message ("largest difference %g of %g", difference, largest);
  g_assert_cmpfloat (difference, <=, limit * largest);
}

/* The engine's result, planar as the twin's. */
static void
check_engine (const Case *made, const gchar *which)
{
  g_autofree gchar *model = g_strconcat (made->name, which, NULL);
  g_autofree gchar *path = get_path (model, ".safetensors");
  g_autofree gfloat *output = NULL, *input = NULL, *theirs = NULL;
  GError *error = NULL;
  g_autoptr (SrganNetwork) network = srgan_network_load (path, &error);
  g_autoptr (SrganPlan) plan = NULL;
  SrganPlanSettings settings = {.width = SIDE,
      .height = SIDE,
      .n_threads = 1,
      .precision = SRGAN_PRECISION_FP32,
      .layout = {.kind = SRGAN_LAYOUT_TENSOR}};
  SrganFrame in = {{NULL}, {0}}, out = {{NULL}, {0}};
  guint channels, scale;
  gsize n, n_theirs;

  g_assert_no_error (error);
  channels = srgan_network_get_colour (network) == SRGAN_COLOUR_Y ? 1 : 3;
  scale = srgan_network_get_scale (network);
  plan = srgan_plan_new (network, &settings, &error);
  g_assert_no_error (error);
  input = read_numbers (made->name, ".in", &n);
  g_assert_cmpuint (n, ==, channels * SIDE * SIDE);
  output = g_new (gfloat, n * scale * scale);
  for (guint c = 0; c < channels; c++) {
    in.component[c] = input + c * SIDE * SIDE;
    in.stride[c] = SIDE * sizeof (gfloat);
    out.component[c] = output + c * SIDE * SIDE * scale * scale;
    out.stride[c] = SIDE * scale * sizeof (gfloat);
  }
  srgan_plan_run (plan, &in, &out);
  theirs = read_numbers (model, ".out", &n_theirs);
  g_assert_cmpuint (n_theirs, ==, n * scale * scale);
  compare (output, theirs, n_theirs, 1e-5);
}

/* Ours are as first drawn and the twin's hold other numbers: it is the layers
 * that must agree. */
static void
check_design (SrganNetwork *ours, const gchar *name, const gchar *which)
{
  g_autofree gchar *model = g_strconcat (name, which, NULL);
  g_autofree gchar *path = get_path (model, ".safetensors");
  GError *error = NULL;
  g_autoptr (SrganNetwork) theirs = srgan_network_load (path, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_n_layers (ours), ==,
      srgan_network_get_n_layers (theirs));
  for (guint i = 0; i < srgan_network_get_n_layers (ours); i++) {
    const SrganLayer *a = srgan_network_get_layer (ours, i);
    const SrganLayer *b = srgan_network_get_layer (theirs, i);

    g_assert_cmpstr (a->name, ==, b->name);
    g_assert_cmpuint (a->operation, ==, b->operation);
    g_assert_cmpuint (a->n_inputs, ==, b->n_inputs);
    for (guint k = 0; k < a->n_inputs; k++)
      g_assert_cmpint (a->inputs[k], ==, b->inputs[k]);
    g_assert_cmpuint (a->in_channels, ==, b->in_channels);
    g_assert_cmpuint (a->out_channels, ==, b->out_channels);
    g_assert_cmpuint (a->kernel_width, ==, b->kernel_width);
    g_assert_cmpuint (a->kernel_height, ==, b->kernel_height);
    g_assert_cmpuint (a->stride, ==, b->stride);
    g_assert_cmpuint (a->padding, ==, b->padding);
    g_assert_cmpuint (a->factor, ==, b->factor);
    g_assert_cmpuint (a->filter, ==, b->filter);
    g_assert_cmpuint (a->activation, ==, b->activation);
    g_assert_cmpfloat (a->activation_low, ==, b->activation_low);
    g_assert_true ((a->bias != NULL) == (b->bias != NULL));
  }
}

/* From [channel][row][column] to [row][column][channel]. */
static gfloat *
interleave (const gfloat *planes, guint channels, gsize n)
{
  gfloat *values = g_new (gfloat, n * channels);

  for (guint c = 0; c < channels; c++)
    for (gsize i = 0; i < n; i++)
      values[i * channels + c] = planes[c * n + i];
  return values;
}

static void
check_discriminator (const Case *made, SrganRecipe *recipe)
{
  g_autofree gchar *path = get_path (made->name, "-rival.safetensors");
  GError *error = NULL;
  g_autoptr (SrganNetwork) ours = srgan_design_discriminator (recipe, &error);
  g_autoptr (SrganNetwork) theirs = srgan_network_load (path, &error);
  g_autoptr (SrganGraph) graph = NULL;
  g_autoptr (SrganGraphState) state = NULL;
  g_autofree gfloat *parameters = NULL, *planes = NULL, *input = NULL;
  g_autofree gfloat *output = NULL, *verdicts = NULL;
  guint side = SIDE * recipe->scale, channels;
  gsize n, n_verdicts;

  g_assert_no_error (error);
  /* its batch-norms are folded away in the file */
  srgan_network_set_note (ours, "ends", "features");
  srgan_network_finish (ours, &error);
  g_assert_no_error (error);
  check_design (ours, made->name, "-rival");

  graph = srgan_graph_new (theirs, &error);
  g_assert_no_error (error);
  parameters = g_new (gfloat, srgan_graph_get_n_parameters (graph));
  srgan_graph_get_parameters (graph, parameters);
  srgan_graph_set_parameters (graph, parameters);
  state = srgan_graph_state_new (graph, side, side, FALSE);
  channels = srgan_recipe_get_channels (recipe);
  planes = read_numbers (made->name, "-rival.in", &n);
  g_assert_cmpuint (n, ==, channels * side * side);
  input = interleave (planes, channels, n / channels);
  verdicts = read_numbers (made->name, "-rival.out", &n_verdicts);
  output = g_new (gfloat, n_verdicts);
  srgan_graph_forward (state, input, output);
  compare (output, verdicts, n_verdicts, 1e-5);
}

static void
check_losses (void)
{
  g_autofree gchar *path = get_path ("features", ".safetensors");
  GError *error = NULL;
  g_autoptr (SrganNetwork) network = srgan_network_load (path, &error);
  g_autoptr (SrganFeatures) features = NULL;
  g_autofree gfloat *output = NULL, *target = NULL, *planes = NULL;
  const gsize n = LOSS_SIDE * LOSS_SIDE;
  gsize length;

  g_assert_no_error (error);
  features = srgan_features_new (network, "", 0, 0, SRGAN_COLOUR_RGB, &error);
  g_assert_no_error (error);
  planes = read_numbers ("output", ".in", &length);
  output = interleave (planes, 3, n);
  g_free (planes);
  planes = read_numbers ("target", ".in", &length);
  target = interleave (planes, 3, n);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    gdouble others = strcmp (kinds[i], "l2") == 0 ? 1 : 0;
    gboolean directions = strcmp (kinds[i], "charbonnier") == 0;
    SrganCriterion criterion = {.kind = (SrganLossKind) i,
        .epsilon = .001,
        .pixel = 1,
        .ssim = others,
        .ms_ssim = others,
        .fourier = others,
        .perceptual = directions ? 1 : others,
        .features =
            directions ? SRGAN_FEATURES_DIRECTION : SRGAN_FEATURES_ENERGY};
    g_autoptr (SrganCriterionState) state = srgan_criterion_state_new (
        &criterion, features, LOSS_SIDE, LOSS_SIDE, 3, &error);
    g_autofree gfloat *gradient = g_new (gfloat, 3 * n);
    g_autofree gfloat *slopes = NULL;
    g_autofree gfloat *theirs = read_numbers (kinds[i], ".out", &length);
    /* SSIM is a small difference of large numbers, ours in fp32 */
    gdouble limit = others > 0 || directions ? 1e-4 : 1e-5;
    gfloat loss;

    g_assert_no_error (error);
    g_assert_cmpuint (length, ==, 1 + 3 * n);
    loss =
        (gfloat) srgan_criterion_evaluate (state, output, target, 1, gradient);
    slopes = interleave (theirs + 1, 3, n);
    compare (&loss, theirs, 1, limit);
    compare (gradient, slopes, 3 * n, limit);
  }
}

static void
test_twin (void)
{
  folder = test_folder_new (0, 0);
  if (!run_twin ()) {
    g_test_skip ("no PyTorch here (python3-torch)");
  } else {
    for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
      SrganRecipe *recipe = load_recipe (cases[i].name);
      GError *error = NULL;
      g_autoptr (SrganNetwork) ours = srgan_design_network (recipe, &error);

      srgan_network_finish (ours, &error);
      g_assert_no_error (error);
      check_design (ours, cases[i].name, "-twin");
      check_engine (cases + i, "-ours");
      check_engine (cases + i, "-twin");
      check_discriminator (cases + i, recipe);
      srgan_recipe_free (recipe);
    }
    check_losses ();
  }
  test_folder_remove (folder);
  g_free (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/train/twin", test_twin);
  return g_test_run ();
}

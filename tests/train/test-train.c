/* Whole runs: they learn, continue bit for bit, do not depend on threads, and
 * fail without loss.
 *
 * SPDX-License-Identifier: MIT
 */
#include <srgan/srgan-network.h>
#include <srgan/srgan-train.h>

#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "pictures.h"

typedef struct {
  gchar *pictures;
  gchar *folder; /* what a run writes */
  SrganRecipe *recipe;
} Fixture;

static void
set (SrganRecipe *recipe, const gchar *group, const gchar *key,
    const gchar *value)
{
  GError *error = NULL;

  srgan_recipe_set (recipe, group, key, value, &error);
  g_assert_no_error (error);
}

/* Names the output and the checkpoint of the next run. */
static void
name_run (Fixture *fixture, const gchar *name)
{
  g_autofree gchar *file = g_strconcat (name, ".safetensors", NULL);
  g_autofree gchar *output = g_build_filename (fixture->folder, file, NULL);
  g_autofree gchar *checkpoint = g_strconcat (output, ".ckpt", NULL);

  set (fixture->recipe, "output", "file", output);
  set (fixture->recipe, "output", "checkpoint", checkpoint);
}

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->pictures = test_folder_new (8, 96);
  fixture->folder = test_folder_new (0, 0);
  fixture->recipe = srgan_recipe_new ();
  set (fixture->recipe, "network", "channels", "6");
  set (fixture->recipe, "network", "layers", "1");
  set (fixture->recipe, "data", "folder", fixture->pictures);
  set (fixture->recipe, "data", "patch", "16");
  set (fixture->recipe, "data", "held-back", "0.3");
  set (fixture->recipe, "training", "batch", "6");
  set (fixture->recipe, "training", "steps", "20");
  set (fixture->recipe, "training", "warm-up", "5");
  set (fixture->recipe, "training", "threads", "1");
  set (fixture->recipe, "output", "licence", "MIT");
  set (fixture->recipe, "output", "training-data", "made up");
  name_run (fixture, "run");
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_folder_remove (fixture->pictures);
  test_folder_remove (fixture->folder);
  g_free (fixture->pictures);
  g_free (fixture->folder);
  srgan_recipe_free (fixture->recipe);
}

typedef struct {
  GCancellable *cancellable;
  guint stop_at; /* a step, or 0 */
  guint steps;   /* reported */
  gdouble first_psnr, last_psnr;
  gdouble last_loss;
  gdouble first_verdict, last_verdict;
  gdouble distance;
  guint messages;
} Watch;

static void
watch (const SrganTrainProgress *progress, gpointer data)
{
  Watch *seen = data;

  if (progress->message != NULL) {
    seen->messages++;
    return;
  }
  seen->steps++;
  seen->last_loss = progress->loss;
  if (progress->adversarial && seen->first_verdict == 0)
    seen->first_verdict = progress->discriminator_loss;
  seen->last_verdict = progress->discriminator_loss;
  if (progress->validated) {
    seen->distance = progress->distance;
    if (seen->first_psnr == 0)
      seen->first_psnr = progress->psnr;
    seen->last_psnr = progress->psnr;
  }
  if (progress->step == seen->stop_at)
    g_cancellable_cancel (seen->cancellable);
}

static void
run (Fixture *fixture)
{
  GError *error = NULL;

  srgan_train (fixture->recipe, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
}

/* Stops after @step. */
static void
run_until (Fixture *fixture, guint step)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  Watch seen = {cancellable, step};

  g_assert_false (
      srgan_train (fixture->recipe, cancellable, watch, &seen, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CANCELLED);
}

static GBytes *
read_output (Fixture *fixture, const gchar *key)
{
  g_autofree gchar *path = srgan_recipe_get (fixture->recipe, "output", key);
  gchar *contents;
  gsize length;

  g_assert_true (g_file_get_contents (path, &contents, &length, NULL));
  return g_bytes_new_take (contents, length);
}

/* Two runs' last checkpoints: weights, means, the optimizer's state. */
static void
assert_same_end (GBytes *a, GBytes *b)
{
  static const gchar *const keys[] = {
      "step", "best", "parameters", "average", "state", "rival", "rival-state"};
  g_autoptr (GVariant) p = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, a, FALSE));
  g_autoptr (GVariant) q = g_variant_ref_sink (
      g_variant_new_from_bytes (G_VARIANT_TYPE_VARDICT, b, FALSE));

  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    g_autoptr (GVariant) x = g_variant_lookup_value (p, keys[i], NULL);
    g_autoptr (GVariant) y = g_variant_lookup_value (q, keys[i], NULL);

    /* only the adversarial phase has a rival */
    if (x == NULL && y == NULL && g_str_has_prefix (keys[i], "rival"))
      continue;
    g_assert_nonnull (x);
    g_assert_nonnull (y);
    if (!g_variant_equal (x, y))
      g_error ("the runs differ in '%s'", keys[i]);
  }
}

static void
test_learns (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = NULL;
  g_autoptr (SrganNetwork) network = NULL;
  GError *error = NULL;
  Watch seen = {0};
  const gchar *note;

  set (fixture->recipe, "training", "steps", "150");
  set (fixture->recipe, "output", "validation-interval", "10");
  set (fixture->recipe, "training", "average", "0.9");
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (seen.steps, ==, 150);
  g_test_message ("PSNR %g -> %g dB", seen.first_psnr, seen.last_psnr);
  g_assert_cmpfloat (seen.last_psnr, >, seen.first_psnr + 1);

  path = srgan_recipe_get (fixture->recipe, "output", "file");
  network = srgan_network_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_scale (network), ==, 2);
  g_assert_cmpstr (srgan_network_get_note (network, "licence"), ==, "MIT");
  g_assert_cmpstr (
      srgan_network_get_note (network, "training-data"), ==, "made up");
  g_assert_nonnull (srgan_network_get_note (network, "scores"));
  /* the recipe is in it, and where it lay on this machine is not */
  note = srgan_network_get_note (network, "recipe");
  g_assert_nonnull (strstr (note, "steps=150"));
  g_assert_null (strstr (note, fixture->pictures));
  g_assert_null (strstr (note, fixture->folder));
}

static void
test_resume (Fixture *fixture, gconstpointer data)
{
  static const gchar *const optimizers[] = {"soap", "adam"};

  set (fixture->recipe, "output", "validation-interval", "5");
  set (fixture->recipe, "training", "clip", "2");
  for (guint i = 0; i < G_N_ELEMENTS (optimizers); i++) {
    g_autoptr (GBytes) straight = NULL, resumed = NULL;
    g_autofree gchar *name = g_strconcat (optimizers[i], "-a", NULL);

    set (fixture->recipe, "training", "optimizer", optimizers[i]);
    name_run (fixture, name);
    run (fixture);
    straight = read_output (fixture, "checkpoint");

    name[strlen (name) - 1] = 'b';
    name_run (fixture, name);
    run_until (fixture, 10);
    run_until (fixture, 13);
    run (fixture);
    resumed = read_output (fixture, "checkpoint");
    assert_same_end (straight, resumed);
  }
}

static void
test_threads (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) one = NULL;

  run (fixture);
  one = read_output (fixture, "checkpoint");
  for (guint n = 2; n <= 5; n++) {
    g_autofree gchar *text = g_strdup_printf ("%u", n);
    g_autoptr (GBytes) several = NULL;

    name_run (fixture, text);
    set (fixture->recipe, "training", "threads", text);
    set (fixture->recipe, "data", "prefetch-threads", text);
    run (fixture);
    several = read_output (fixture, "checkpoint");
    assert_same_end (one, several);
  }
}

/* Every setting that shapes a network gives one that trains. */
static void
test_shapes (Fixture *fixture, gconstpointer data)
{
  static const gchar *const shapes[][4] = {/* scale, activation, skip, loss */
      {"1", "relu", "none", "l1"}, {"2", "leaky-relu", "bilinear", "l2"},
      {"3", "prelu", "bicubic", "charbonnier"}, {"4", "prelu", "nearest", "l1"},
      {"3", "relu", "none", "l2"}};

  for (guint i = 0; i < G_N_ELEMENTS (shapes); i++) {
    g_autofree gchar *name = g_strdup_printf ("shape%u", i);

    name_run (fixture, name);
    set (fixture->recipe, "network", "scale", shapes[i][0]);
    set (fixture->recipe, "network", "activation", shapes[i][1]);
    set (fixture->recipe, "network", "skip", shapes[i][2]);
    set (fixture->recipe, "training", "loss", shapes[i][3]);
    set (fixture->recipe, "training", "steps", "4");
    run (fixture);
    g_bytes_unref (read_output (fixture, "file"));
  }
}

/* SRGAN in small, with each discriminator: both phases, stopped and continued
 * in each and at their border, on any number of threads, end in the same bits;
 * and leave two networks. */
static void
test_adversarial (Fixture *fixture, gconstpointer data)
{
  static const gchar *const cases[][3] = {
      /* discriminator, form, colour */
      {"srgan", "standard", "rgb"},
      {"patch", "relativistic", "y"},
      {"unet", "relativistic", "rgb"},
  };

  set (fixture->recipe, "network", "design", "srresnet");
  set (fixture->recipe, "network", "channels", "8");
  set (fixture->recipe, "network", "skip", "none");
  set (fixture->recipe, "training", "optimizer", "adam");
  set (fixture->recipe, "training", "steps", "6");
  set (fixture->recipe, "training", "batch", "3");
  set (fixture->recipe, "training", "warm-up", "2");
  set (fixture->recipe, "adversarial", "steps", "6");
  set (fixture->recipe, "adversarial", "channels", "4");
  set (fixture->recipe, "adversarial", "perceptual-weight", "0.1");
  set (fixture->recipe, "adversarial", "fourier-weight", "0.1");
  set (fixture->recipe, "output", "validation-interval", "3");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *name = g_strdup_printf ("gan%u-a", i);
    g_autofree gchar *fidelity =
        g_strdup_printf ("%s/gan%u-a-fidelity.safetensors", fixture->folder, i);
    g_autoptr (GBytes) straight = NULL, resumed = NULL, file = NULL;
    g_autoptr (SrganNetwork) network = NULL;
    GError *error = NULL;

    set (fixture->recipe, "adversarial", "discriminator", cases[i][0]);
    set (fixture->recipe, "adversarial", "form", cases[i][1]);
    set (fixture->recipe, "network", "colour", cases[i][2]);
    set (fixture->recipe, "training", "threads", "1");
    name_run (fixture, name);
    run (fixture);
    straight = read_output (fixture, "checkpoint");
    network = srgan_network_load (fidelity, &error);
    g_assert_no_error (error);
    file = read_output (fixture, "file");

    name[strlen (name) - 1] = 'b';
    name_run (fixture, name);
    set (fixture->recipe, "training", "threads", "2");
    run_until (fixture, 4);
    run_until (fixture, 6);
    run_until (fixture, 8);
    set (fixture->recipe, "training", "threads", "3");
    run (fixture);
    resumed = read_output (fixture, "checkpoint");
    assert_same_end (straight, resumed);
  }
}

/* A discriminator learns what it is for. */
static void
test_tells_apart (Fixture *fixture, gconstpointer data)
{
  Watch seen = {0};
  GError *error = NULL;

  set (fixture->recipe, "training", "steps", "0");
  set (fixture->recipe, "training", "warm-up", "0");
  set (fixture->recipe, "adversarial", "steps", "40");
  set (fixture->recipe, "adversarial", "channels", "8");
  set (fixture->recipe, "adversarial", "discriminator", "unet");
  set (fixture->recipe, "adversarial", "learning-rate", "0");
  set (fixture->recipe, "adversarial", "discriminator-learning-rate", "0.003");
  set (fixture->recipe, "adversarial", "perceptual-weight", "0");
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);
  g_test_message ("%g -> %g", seen.first_verdict, seen.last_verdict);
  g_assert_cmpfloat (seen.last_verdict, <, .7 * seen.first_verdict);
}

/* A run that no longer gets better ends; one with a log leaves it. */
static void
test_patience_and_log (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *log = g_build_filename (fixture->folder, "log", NULL);
  g_autofree gchar *lines = g_build_filename (log, "log.jsonl", NULL);
  g_autofree gchar *preview =
      g_build_filename (log, "preview-0000002.png", NULL);
  g_autofree gchar *text = NULL;
  Watch seen = {0};
  GError *error = NULL;

  set (fixture->recipe, "training", "learning-rate", "0");
  set (fixture->recipe, "training", "other-learning-rate", "0");
  set (fixture->recipe, "training", "steps", "1000");
  set (fixture->recipe, "validation", "patience", "3");
  set (fixture->recipe, "validation", "folder", fixture->pictures);
  set (fixture->recipe, "output", "validation-interval", "2");
  set (fixture->recipe, "output", "log-dir", log);
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (seen.steps, ==, 8);
  /* and again: it has nothing to add */
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (seen.steps, ==, 8);
  g_assert_true (g_file_get_contents (lines, &text, NULL, NULL));
  g_assert_true (g_str_has_prefix (text, "{\"step\": 2, \"loss\": "));
  g_assert_nonnull (strstr (text, "\"psnr\": "));
  g_assert_true (g_file_test (preview, G_FILE_TEST_EXISTS));
}

/* A feature network that judges, and one that trains. */
static void
test_features (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *judge =
      g_build_filename (fixture->folder, "judge.safetensors", NULL);
  g_autoptr (SrganNetwork) network =
      srgan_network_new ("judge", SRGAN_COLOUR_RGB, 1);
  gfloat weight[9 * 3 * 4];
  SrganLayer layer = {
      .name = (gchar *) "conv",
      .operation = SRGAN_OPERATION_CONV,
      .n_inputs = 1,
      .inputs = {SRGAN_INPUT_NETWORK},
      .out_channels = 4,
      .kernel_width = 3,
      .kernel_height = 3,
      .stride = 2,
      .groups = 1,
      .padding = SRGAN_PADDING_NONE,
      .activation = SRGAN_ACTIVATION_RELU,
      .weight = weight,
  };
  GError *error = NULL;
  Watch seen = {0};

  for (guint i = 0; i < G_N_ELEMENTS (weight); i++)
    weight[i] = (gfloat) sin (i * 1.7);
  srgan_network_add_layer (network, &layer, &error);
  srgan_network_set_note (network, "ends", "features");
  srgan_network_finish (network, &error);
  srgan_network_save (network, judge, &error);
  g_assert_no_error (error);

  set (fixture->recipe, "features", "model", judge);
  set (fixture->recipe, "validation", "features", judge);
  set (fixture->recipe, "training", "perceptual-weight", "0.1");
  set (fixture->recipe, "training", "ssim-weight", "0.1");
  set (fixture->recipe, "output", "validation-interval", "10");
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (seen.distance, >, 0);

  set (fixture->recipe, "features", "model", "/no/such.safetensors");
  name_run (fixture, "second");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
  g_clear_error (&error);
}

/* A x2 network's body serves x3; what does not fit starts anew. */
static void
test_start (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *first =
      srgan_recipe_get (fixture->recipe, "output", "file");
  g_autoptr (GError) error = NULL;
  Watch seen = {0};

  run (fixture);
  name_run (fixture, "second");
  set (fixture->recipe, "network", "scale", "3");
  set (fixture->recipe, "network", "start", first);
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);

  name_run (fixture, "third");
  set (fixture->recipe, "network", "channels", "5");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "network.grow"));
  g_clear_error (&error);
  set (fixture->recipe, "network", "start", "/no/such.safetensors");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_NOT_FOUND);
}

/* What a start of fewer channels and layers knows is kept. */
static void
test_grown (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *first =
      srgan_recipe_get (fixture->recipe, "output", "file");
  Watch small = {0}, grown = {0};
  GError *error = NULL;

  set (fixture->recipe, "training", "steps", "60");
  srgan_train (fixture->recipe, NULL, watch, &small, &error);
  g_assert_no_error (error);

  name_run (fixture, "grown");
  set (fixture->recipe, "network", "start", first);
  set (fixture->recipe, "network", "grow", "true");
  set (fixture->recipe, "network", "channels", "9");
  set (fixture->recipe, "network", "layers", "3");
  set (fixture->recipe, "training", "steps", "1");
  set (fixture->recipe, "training", "learning-rate", "1e-9");
  set (fixture->recipe, "training", "other-learning-rate", "1e-9");
  srgan_train (fixture->recipe, NULL, watch, &grown, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (grown.last_psnr, small.last_psnr, .01);
}

static void
test_wrong_checkpoints (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path =
      srgan_recipe_get (fixture->recipe, "output", "checkpoint");
  g_autoptr (GBytes) good = NULL;
  g_autoptr (GError) error = NULL;
  gsize length;
  const gchar *contents;

  run_until (fixture, 5);
  good = read_output (fixture, "checkpoint");
  contents = g_bytes_get_data (good, &length);

  set (fixture->recipe, "training", "learning-rate", "0.5");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "training.learning-rate"));
  g_clear_error (&error);
  set (fixture->recipe, "training", "learning-rate", "0.003");

  /* cut short anywhere: an error, and never a crash */
  for (gsize cut = 0; cut < length; cut += 1 + length / 40) {
    g_assert_true (g_file_set_contents (path, contents, (gssize) cut, NULL));
    g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
    g_assert_nonnull (error);
    g_assert_nonnull (strstr (error->message, path));
    g_clear_error (&error);
  }
  g_assert_true (g_file_set_contents (path, contents, (gssize) length, NULL));
  run (fixture);
}

/* A loss that is no number ends the run; what was good stays. */
static void
test_divergence (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) before = NULL, after = NULL;

  set (fixture->recipe, "training", "optimizer", "adam");
  set (fixture->recipe, "training", "loss", "l2");
  set (fixture->recipe, "training", "learning-rate", "1");
  set (fixture->recipe, "training", "warm-up", "0");
  set (fixture->recipe, "training", "steps", "100000");
  set (fixture->recipe, "network", "layers", "40");
  set (fixture->recipe, "output", "checkpoint-interval", "1");
  set (fixture->recipe, "output", "validation-interval", "1");
  run_until (fixture, 1);
  before = read_output (fixture, "checkpoint");
  set (fixture->recipe, "output", "checkpoint-interval", "100000");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "learning-rate"));
  after = read_output (fixture, "checkpoint");
  g_assert_true (g_bytes_equal (before, after));
  /* the weights written last can be read: they hold numbers */
  {
    g_autofree gchar *path =
        srgan_recipe_get (fixture->recipe, "output", "file");
    g_autoptr (SrganNetwork) network = NULL;

    g_clear_error (&error);
    network = srgan_network_load (path, &error);
    g_assert_no_error (error);
  }
}

/* Nowhere to write: said before the work is lost, nothing left behind. */
static void
test_unwritable (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  set (fixture->recipe, "output", "file", "/no/such/folder/x.safetensors");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
  g_clear_error (&error);
  name_run (fixture, "run");
  set (fixture->recipe, "output", "checkpoint", "/no/such/folder/x.ckpt");
  g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_WRITE);
}

/* Without pictures to compare with, the teacher alone is learned from. */
static void
test_teacher (Fixture *fixture, gconstpointer data)
{
  Watch alone = {0}, taught = {0};
  GError *error = NULL;

  set (fixture->recipe, "training", "pixel-weight", "0");
  set (fixture->recipe, "training", "loss", "l2");
  set (fixture->recipe, "training", "steps", "60");
  set (fixture->recipe, "output", "validation-interval", "2");
  srgan_train (fixture->recipe, NULL, watch, &alone, &error);
  g_assert_no_error (error);
  name_run (fixture, "taught");
  set (fixture->recipe, "distillation", "teacher", "nano-clean");
  set (fixture->recipe, "distillation", "residual-weight", "0.1");
  srgan_train (fixture->recipe, NULL, watch, &taught, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (alone.last_psnr, alone.first_psnr, .01);
  g_assert_cmpfloat (taught.last_psnr, >, taught.first_psnr + 1);

  /* and stopped, it goes on as if it had not been */
  {
    g_autoptr (GBytes) straight = read_output (fixture, "file");
    g_autoptr (GBytes) resumed = NULL;

    name_run (fixture, "again");
    run_until (fixture, 31);
    run (fixture);
    resumed = read_output (fixture, "file");
    g_assert_true (g_bytes_equal (straight, resumed));
  }
}

/* In bfloat16 it learns as much, and goes on from where it stopped. */
static void
test_bf16 (Fixture *fixture, gconstpointer data)
{
  g_autoptr (GBytes) straight = NULL, resumed = NULL;
  GError *error = NULL;
  Watch fp32 = {0}, bf16 = {0};

  set (fixture->recipe, "network", "channels", "8");
  set (fixture->recipe, "training", "steps", "200");
  srgan_train (fixture->recipe, NULL, watch, &fp32, &error);
  g_assert_no_error (error);

  set (fixture->recipe, "training", "precision", "bf16");
  name_run (fixture, "straight");
  srgan_train (fixture->recipe, NULL, watch, &bf16, &error);
  g_assert_no_error (error);
  straight = read_output (fixture, "checkpoint");
  g_test_message ("%g dB, in bfloat16 %g", fp32.last_psnr, bf16.last_psnr);
  g_assert_cmpfloat (fp32.last_psnr, !=, bf16.last_psnr);
  g_assert_cmpfloat_with_epsilon (fp32.last_psnr, bf16.last_psnr, .1);

  name_run (fixture, "resumed");
  run_until (fixture, 17);
  set (fixture->recipe, "training", "threads", "2");
  run (fixture);
  resumed = read_output (fixture, "checkpoint");
  assert_same_end (straight, resumed);
}

/* The codes of a network that has some; fp32 is as it was. */
static void
test_int8 (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = srgan_recipe_get (fixture->recipe, "output", "file");
  g_autoptr (SrganNetwork) start = NULL, network = NULL;
  GError *error = NULL;
  gdouble loss;
  Watch seen = {0};

  set (fixture->recipe, "network", "start", "nano-clean-x2");
  set (fixture->recipe, "training", "precision", "int8");
  set (fixture->recipe, "training", "pixel-weight", "0");
  set (fixture->recipe, "training", "learning-rate", "0.0003");
  set (fixture->recipe, "distillation", "teacher", "nano-clean-x2");
  srgan_train (fixture->recipe, NULL, watch, &seen, &error);
  g_assert_no_error (error);
  start = srgan_network_open ("nano-clean-x2", 2, NULL, &error);
  g_assert_no_error (error);
  network = srgan_network_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (
      srgan_network_get_precision (network), ==, SRGAN_PRECISION_INT8);
  g_assert_true (srgan_network_get_loss (network, SRGAN_PRECISION_INT8, &loss));
  g_assert_cmpfloat (fabs (loss), <, 1);
  g_assert_nonnull (srgan_network_get_note (network, "int8-recipe"));
  g_assert_cmpstr (srgan_network_get_note (network, "recipe"), ==,
      srgan_network_get_note (start, "recipe"));
  for (guint i = 0; i < srgan_network_get_n_layers (start); i++) {
    const SrganLayer *was = srgan_network_get_layer (start, i);
    const SrganLayer *is = srgan_network_get_layer (network, i);
    gsize n = (gsize) was->in_channels * was->out_channels * was->kernel_width *
              was->kernel_height;

    if (was->operation == SRGAN_OPERATION_CONV)
      g_assert_cmpmem (
          was->weight, n * sizeof (gfloat), is->weight, n * sizeof (gfloat));
  }
}

/* Written without the low 12 bits, and scored so. */
static void
test_quantised (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *path = srgan_recipe_get (fixture->recipe, "output", "file");
  g_autoptr (SrganNetwork) network = NULL;
  GError *error = NULL;

  set (fixture->recipe, "output", "quantised", "true");
  set (fixture->recipe, "training", "restarts", "1");
  run (fixture);
  network = srgan_network_load (path, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < srgan_network_get_n_layers (network); i++) {
    const SrganLayer *layer = srgan_network_get_layer (network, i);

    for (guint k = 0; layer->bias != NULL && k < layer->out_channels; k++) {
      guint32 bits[2];

      memcpy (bits, layer->bias + k, sizeof bits[0]);
      memcpy (bits + 1, layer->weight + k, sizeof bits[0]);
      g_assert_cmphex ((bits[0] | bits[1]) & 0xfff, ==, 0);
    }
  }
}

/* Convolutions in branches: a plain start stays what it is, what is written is
 * plain, and a run continues bit for bit. */
static void
test_blocks (Fixture *fixture, gconstpointer data)
{
  g_autofree gchar *start =
      srgan_recipe_get (fixture->recipe, "output", "file");
  g_autofree gchar *path = NULL;
  g_autoptr (SrganNetwork) before = NULL, after = NULL;
  g_autoptr (GBytes) straight = NULL, resumed = NULL;
  GError *error = NULL;

  run (fixture);
  before = srgan_network_load (start, &error);
  g_assert_no_error (error);
  set (fixture->recipe, "network", "blocks", "ecb");
  set (fixture->recipe, "network", "start", start);
  set (fixture->recipe, "training", "learning-rate", "0");
  set (fixture->recipe, "training", "other-learning-rate", "0");
  set (fixture->recipe, "training", "steps", "2");
  name_run (fixture, "still");
  run (fixture);
  path = srgan_recipe_get (fixture->recipe, "output", "file");
  after = srgan_network_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_n_layers (before), ==,
      srgan_network_get_n_layers (after));
  for (guint i = 0; i < srgan_network_get_n_layers (before); i++) {
    const SrganLayer *was = srgan_network_get_layer (before, i);
    const SrganLayer *is = srgan_network_get_layer (after, i);

    for (guint k = 0;
         was->weight != NULL && k < was->out_channels * was->in_channels * 9;
         k++)
      g_assert_cmpfloat_with_epsilon (was->weight[k], is->weight[k], 1e-6);
  }

  set (fixture->recipe, "network", "start", "");
  set (fixture->recipe, "network", "block-width", "3");
  set (fixture->recipe, "training", "learning-rate", "0.003");
  set (fixture->recipe, "training", "other-learning-rate", "0.001");
  set (fixture->recipe, "training", "steps", "20");
  name_run (fixture, "straight");
  run (fixture);
  straight = read_output (fixture, "checkpoint");
  name_run (fixture, "resumed");
  run_until (fixture, 9);
  run (fixture);
  resumed = read_output (fixture, "checkpoint");
  assert_same_end (straight, resumed);
}

/* Settings that contradict each other are named. */
static void
test_refused (Fixture *fixture, gconstpointer data)
{
  static const struct {
    const gchar *settings[3][3]; /* group, key, value */
    const gchar *said;
  } wrong[] = {
      {{{"distillation", "residual-weight", "1"}}, "distillation.teacher"},
      {{{"distillation", "teacher", "nano-clean-x2"},
           {"distillation", "output-weight", "0"}},
          "output-weight"},
      {{{"distillation", "teacher", "/no/such.safetensors"}},
          "distillation.teacher"},
      {{{"distillation", "teacher", "fast-clean-x3"}}, "fast-clean-x3"},
      {{{"training", "restarts", "20"}}, "training.restarts"},
      {{{"training", "precision", "int8"}}, "network.start"},
      {{{"training", "precision", "int8"},
           {"network", "start", "nano-clean-x2"}, {"network", "scale", "3"}},
          "network.scale"},
      {{{"training", "precision", "int8"},
           {"network", "start", "nano-clean-x2"},
           {"training", "weight-decay", "0.1"}},
          "weight-decay"},
      {{{"training", "precision", "int8"},
           {"network", "start", "nano-clean-x2"},
           {"output", "quantised", "true"}},
          "output.quantised"},
      {{{"training", "precision", "int8"},
           {"network", "start", "nano-clean-x2"}, {"network", "blocks", "ecb"}},
          "network.blocks"},
      {{{"training", "precision", "int8"},
           {"network", "start", "nano-clean-x2"}, {"network", "grow", "true"}},
          "network.grow"},
      {{{"network", "start", "nano-clean-x2"}, {"network", "grow", "true"},
           {"network", "design", "srresnet"}},
          "network.grow"},
      {{{"network", "blocks", "ecb"}, {"output", "quantised", "true"}},
          "network.blocks"},
      {{{"network", "design", "srresnet"}, {"output", "quantised", "true"}},
          "network.batch-norm"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_autoptr (GError) error = NULL;
    gchar *before[3] = {NULL};

    for (guint k = 0; k < 3 && wrong[i].settings[k][0] != NULL; k++) {
      const gchar *const *setting = wrong[i].settings[k];

      before[k] = srgan_recipe_get (fixture->recipe, setting[0], setting[1]);
      set (fixture->recipe, setting[0], setting[1], setting[2]);
    }
    g_assert_false (srgan_train (fixture->recipe, NULL, NULL, NULL, &error));
    g_assert_nonnull (error);
    if (strstr (error->message, wrong[i].said) == NULL)
      g_error ("'%s' does not mention %s", error->message, wrong[i].said);
    for (guint k = 0; k < 3 && wrong[i].settings[k][0] != NULL; k++) {
      set (fixture->recipe, wrong[i].settings[k][0], wrong[i].settings[k][1],
          before[k]);
      g_free (before[k]);
    }
  }
}

int
main (int argc, char **argv)
{
  static const struct {
    const gchar *path;
    void (*test) (Fixture *, gconstpointer);
  } tests[] = {
      {"/train/train/learns", test_learns},
      {"/train/train/resume", test_resume},
      {"/train/train/threads", test_threads},
      {"/train/train/shapes", test_shapes},
      {"/train/train/adversarial", test_adversarial},
      {"/train/train/tells-apart", test_tells_apart},
      {"/train/train/patience-and-log", test_patience_and_log},
      {"/train/train/features", test_features},
      {"/train/train/start", test_start},
      {"/train/train/grown", test_grown},
      {"/train/train/wrong-checkpoints", test_wrong_checkpoints},
      {"/train/train/divergence", test_divergence},
      {"/train/train/unwritable", test_unwritable},
      {"/train/train/teacher", test_teacher},
      {"/train/train/bf16", test_bf16},
      {"/train/train/int8", test_int8},
      {"/train/train/quantised", test_quantised},
      {"/train/train/blocks", test_blocks},
      {"/train/train/refused", test_refused},
  };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}

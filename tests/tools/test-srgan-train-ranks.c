/* srgan-train on two processes: what one gives with batches twice as large,
 * stopped and continued on the way.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/codec.h"
#include "train/pictures.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <math.h>
#include <srgan/srgan-network.h>
#include <string.h>

typedef struct {
  gchar *pictures;
  gchar *folder;
} Fixture;

static void
set_up (Fixture *fixture, gconstpointer data)
{
  fixture->pictures = test_folder_new (8, 96);
  fixture->folder = test_folder_new (0, 0);
}

static void
tear_down (Fixture *fixture, gconstpointer data)
{
  test_folder_remove (fixture->pictures);
  test_folder_remove (fixture->folder);
  g_free (fixture->pictures);
  g_free (fixture->folder);
}

/* Starts a run of @ranks processes with batches of @batch that writes @name. */
static GSubprocess *
start (Fixture *fixture, guint ranks, const gchar *name, const gchar *batch,
    const gchar *const *settings)
{
  g_autoptr (GSubprocessLauncher) launcher =
      g_subprocess_launcher_new (G_SUBPROCESS_FLAGS_STDOUT_SILENCE);
  g_autoptr (GPtrArray) arguments = g_ptr_array_new_with_free_func (g_free);
  GError *error = NULL;
  GSubprocess *process;
  guint n = 0;

  /* Open MPI's two for root, and more processes than cores */
  g_subprocess_launcher_setenv (launcher, "OMPI_ALLOW_RUN_AS_ROOT", "1", TRUE);
  g_subprocess_launcher_setenv (
      launcher, "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1", TRUE);
  g_subprocess_launcher_setenv (
      launcher, "OMPI_MCA_rmaps_base_oversubscribe", "1", TRUE);
  if (ranks > 1)
    for (const gchar *const *word =
             (const gchar *const[]){"mpirun", "-n", "2", NULL};
         *word != NULL; word++)
      g_ptr_array_add (arguments, g_strdup (*word));
  g_ptr_array_add (arguments,
      g_build_filename (g_getenv ("SRGAN_TOOLS"), "srgan-train", NULL));
  g_ptr_array_add (arguments, g_strdup ("-q"));
  g_ptr_array_add (arguments, g_strdup ("-d"));
  g_ptr_array_add (arguments, g_strdup (fixture->pictures));
  g_ptr_array_add (arguments, g_strdup ("-o"));
  g_ptr_array_add (arguments, g_strdup_printf ("%s/%s", fixture->folder, name));
  g_ptr_array_add (arguments, g_strdup ("-s"));
  g_ptr_array_add (arguments, g_strdup_printf ("training.batch=%s", batch));
  for (; settings[n] != NULL; n++) {
    g_ptr_array_add (arguments, g_strdup ("-s"));
    g_ptr_array_add (arguments, g_strdup (settings[n]));
  }
  g_ptr_array_add (arguments, NULL);
  process = g_subprocess_launcher_spawnv (
      launcher, (const gchar *const *) arguments->pdata, &error);
  g_assert_no_error (error);
  return process;
}

static void
finish (GSubprocess *process)
{
  g_assert_true (g_subprocess_wait_check (process, NULL, NULL));
  g_object_unref (process);
}

/* The largest difference of two networks' weights. */
static gdouble
compare (Fixture *fixture, const gchar *a, const gchar *b)
{
  g_autofree gchar *path_a = g_build_filename (fixture->folder, a, NULL);
  g_autofree gchar *path_b = g_build_filename (fixture->folder, b, NULL);
  GError *error = NULL;
  g_autoptr (SrganNetwork) p = srgan_network_load (path_a, &error);
  g_autoptr (SrganNetwork) q = srgan_network_load (path_b, &error);
  gdouble largest = 0;

  g_assert_no_error (error);
  for (guint i = 0; i < srgan_network_get_n_layers (p); i++) {
    const SrganLayer *x = srgan_network_get_layer (p, i);
    const SrganLayer *y = srgan_network_get_layer (q, i);
    guint n =
        x->in_channels * x->out_channels * x->kernel_width * x->kernel_height;

    for (guint k = 0; x->weight != NULL && k < n; k++)
      largest = MAX (largest, fabs (x->weight[k] - y->weight[k]));
    for (guint k = 0; x->bias != NULL && k < x->out_channels; k++)
      largest = MAX (largest, fabs (x->bias[k] - y->bias[k]));
  }
  return largest;
}

static gboolean
has_mpi (void)
{
  g_autofree gchar *path = g_find_program_in_path ("mpirun");

  if (path != NULL)
    return TRUE;
  g_test_skip ("no mpirun here");
  return FALSE;
}

/* L1's slope jumps, and SOAP's bases turn: the least rounding would be a tenth
 * of the weights after 400 steps. Hence sums that do not depend on their order,
 * and no difference at all. */
#define COMMON                                                 \
  "data.patch=16", "data.held-back=0.3", "training.threads=1", \
      "training.learning-rate=0.001", "training.warm-up=5",    \
      "training.loss=l1", "network.layers=1"

static void
test_chain (Fixture *fixture, gconstpointer data)
{
  gboolean codecs = srgan_codec_check (SRGAN_CODEC_X264, NULL) &&
                    srgan_codec_check (SRGAN_CODEC_JPEG, NULL);
  const gchar *const settings[] = {COMMON, "training.steps=400",
      "training.optimizer=soap", "network.channels=6", "data.softened=0.7",
      codecs ? "data.x264=0.3" : "data.x264=0",
      codecs ? "data.jpeg=0.3" : "data.jpeg=0",
      "output.validation-interval=400", "output.checkpoint-interval=200", NULL};
  g_autofree gchar *checkpoint =
      g_build_filename (fixture->folder, "b.safetensors.ckpt", NULL);
  g_autoptr (GSubprocess) stopped = NULL;
  gdouble difference;

  if (!has_mpi ())
    return;
  finish (start (fixture, 1, "a.safetensors", "6", settings));
  /* as soon as there is a checkpoint, the end of one and so of both */
  stopped = start (fixture, 2, "b.safetensors", "3", settings);
  while (!g_file_test (checkpoint, G_FILE_TEST_EXISTS) &&
         g_subprocess_get_identifier (stopped) != NULL)
    g_usleep (1000);
  g_subprocess_send_signal (stopped, SIGTERM);
  g_subprocess_wait (stopped, NULL, NULL);
  finish (start (fixture, 2, "b.safetensors", "3", settings));
  difference = compare (fixture, "a.safetensors", "b.safetensors");
  g_test_message ("largest difference %g", difference);
  g_assert_cmpfloat (difference, ==, 0);
}

/* Batch-norms see the patches of both, and so does a discriminator; branches
 * are folded by each process for itself. */
static void
test_srgan (Fixture *fixture, gconstpointer data)
{
  static const gchar *const settings[] = {COMMON, "training.steps=30",
      "adversarial.steps=10", "adversarial.channels=4",
      "adversarial.perceptual-weight=0", "adversarial.pixel-weight=1",
      "network.design=srresnet", "network.channels=4", "network.colour=rgb",
      "network.blocks=ecb", NULL};
  gdouble difference;

  if (!has_mpi ())
    return;
  finish (start (fixture, 1, "a.safetensors", "6", settings));
  finish (start (fixture, 2, "b.safetensors", "3", settings));
  difference =
      compare (fixture, "a-fidelity.safetensors", "b-fidelity.safetensors");
  g_test_message ("fidelity: largest difference %g", difference);
  g_assert_cmpfloat (difference, ==, 0);
  difference = compare (fixture, "a.safetensors", "b.safetensors");
  g_test_message ("adversarial: largest difference %g", difference);
  g_assert_cmpfloat (difference, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add ("/tools/srgan-train-ranks/chain", Fixture, NULL, set_up,
      test_chain, tear_down);
  g_test_add ("/tools/srgan-train-ranks/srgan", Fixture, NULL, set_up,
      test_srgan, tear_down);
  return g_test_run ();
}

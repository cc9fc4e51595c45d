/* tests: Keras' and TensorFlow.js' files that mean harm.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/hdf5-answer.h"
#include "convert/hdf5-file.h"
#include "convert/reader.h"

#include <glib/gstdio.h>
#include <hdf5.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zip.h>

/* Of any process that has a part in reading. */
#define MAX_MEMORY (256 * 1024)

static gchar *folder;

static gchar *
find (const gchar *name)
{
  return g_build_filename (folder, name, NULL);
}

static void
write_file (const gchar *name, gconstpointer data, gsize n)
{
  g_autofree gchar *path = find (name);

  g_assert_true (g_file_set_contents (path, data, (gssize) n, NULL));
}

/* Reading @name fails, and says @part. */
static void
check_refused (const gchar *name, const gchar *part)
{
  g_autofree gchar *path = find (name);
  g_autoptr (GError) error = NULL;
  struct rusage usage;

  g_assert_null (srgan_convert_read (path, NULL, NULL, &error));
  g_assert_nonnull (error);
  g_assert_true (error->domain == SRGAN_ERROR);
  g_test_message ("%s", error->message);
  if (strstr (error->message, part) == NULL)
    g_error ("'%s' is not in: %s", part, error->message);
#ifndef __SANITIZE_ADDRESS__
  getrusage (RUSAGE_CHILDREN, &usage);
  g_assert_cmpint (usage.ru_maxrss, <, MAX_MEMORY);
  getrusage (RUSAGE_SELF, &usage);
  g_assert_cmpint (usage.ru_maxrss, <, MAX_MEMORY);
#else
  (void) usage;
#endif
}

/* --- HDF5 ---------------------------------------------------------------- */

static hid_t
create (const gchar *name)
{
  g_autofree gchar *path = find (name);
  hid_t file = H5Fcreate (path, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);

  g_assert_cmpint (file, >=, 0);
  return file;
}

static void
put_text (hid_t object, const gchar *name, const gchar *text)
{
  hid_t type = H5Tcopy (H5T_C_S1);
  hid_t space = H5Screate (H5S_SCALAR);
  hid_t attribute;

  H5Tset_size (type, strlen (text) + 1);
  attribute = H5Acreate2 (object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  g_assert_cmpint (H5Awrite (attribute, type, text), >=, 0);
  H5Aclose (attribute);
  H5Sclose (space);
  H5Tclose (type);
}

static void
put_list (hid_t object, const gchar *name, const gchar *const *texts, guint n)
{
  hsize_t size = n;
  hid_t type = H5Tcopy (H5T_C_S1);
  hid_t space = H5Screate_simple (1, &size, NULL);
  hid_t attribute;

  H5Tset_size (type, H5T_VARIABLE);
  attribute = H5Acreate2 (object, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
  g_assert_cmpint (H5Awrite (attribute, type, texts), >=, 0);
  H5Aclose (attribute);
  H5Sclose (space);
  H5Tclose (type);
}

/* A dataset of zeros, stored as @how says. */
static void
put_numbers (hid_t group, const gchar *name, gint rank,
    const hsize_t *dimensions, hid_t how, gboolean written)
{
  hid_t space = H5Screate_simple (rank, dimensions, NULL);
  hid_t set = H5Dcreate2 (
      group, name, H5T_NATIVE_FLOAT, space, H5P_DEFAULT, how, H5P_DEFAULT);

  g_assert_cmpint (set, >=, 0);
  if (written) {
    gsize n = (gsize) H5Sget_simple_extent_npoints (space);
    g_autofree gfloat *zeros = g_new0 (gfloat, n);

    g_assert_cmpint (
        H5Dwrite (set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, zeros),
        >=, 0);
  }
  H5Dclose (set);
  H5Sclose (space);
}

static const gchar topology[] =
    "{\"class_name\": \"Sequential\", \"config\": {\"name\": \"s\", "
    "\"layers\": [{\"class_name\": \"Conv2D\", \"config\": {\"name\": "
    "\"conv2d\", \"batch_input_shape\": [null, null, null, 3], \"padding\": "
    "\"same\", \"use_bias\": false}}]}}";

/* A model of one convolution, whose weights are to come into the group that is
 * given. */
static hid_t
create_model (const gchar *name, hid_t *weights)
{
  const gchar *const layers[] = {"conv2d"};
  const gchar *const variables[] = {"kernel:0"};
  hid_t file = create (name);
  hid_t group =
      H5Gcreate2 (file, "model_weights", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);

  put_text (file, "model_config", topology);
  put_list (group, "layer_names", layers, 1);
  *weights =
      H5Gcreate2 (group, "conv2d", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  put_list (*weights, "weight_names", variables, 1);
  H5Gclose (group);
  return file;
}

static void
write_model (const gchar *name, hid_t how)
{
  const hsize_t dimensions[4] = {3, 3, 3, 3};
  hid_t weights, file = create_model (name, &weights);

  put_numbers (weights, "kernel:0", 4, dimensions, how, TRUE);
  H5Gclose (weights);
  H5Fclose (file);
}

/* The pattern of the others is a model indeed. */
static void
test_whole (void)
{
  g_autofree gchar *path = find ("whole.h5");
  g_autoptr (GError) error = NULL;
  g_autoptr (SrganNetwork) network = NULL;

  write_model ("whole.h5", H5P_DEFAULT);
  network = srgan_convert_read (path, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_n_parameters (network), ==, 81);
}

static void
test_links (void)
{
  hid_t weights, file = create_model ("link.h5", &weights);

  H5Lcreate_external (
      "/etc/passwd", "/kernel", weights, "kernel:0", H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose (weights);
  H5Fclose (file);
  check_refused ("link.h5", "leads out of the file");
}

static void
test_external (void)
{
  const hsize_t dimensions[4] = {3, 3, 3, 3};
  hid_t weights, file = create_model ("external.h5", &weights);
  hid_t how = H5Pcreate (H5P_DATASET_CREATE);

  H5Pset_external (how, "/etc/passwd", 0, 324);
  put_numbers (weights, "kernel:0", 4, dimensions, how, FALSE);
  H5Pclose (how);
  H5Gclose (weights);
  H5Fclose (file);
  check_refused ("external.h5", "lie in another file");
}

static void
test_virtual (void)
{
  const hsize_t dimensions[4] = {3, 3, 3, 3};
  hid_t weights, file = create_model ("virtual.h5", &weights);
  hid_t how = H5Pcreate (H5P_DATASET_CREATE);
  hid_t space = H5Screate_simple (4, dimensions, NULL);

  H5Pset_virtual (how, space, "/etc/passwd", "/kernel", space);
  put_numbers (weights, "kernel:0", 4, dimensions, how, FALSE);
  H5Sclose (space);
  H5Pclose (how);
  H5Gclose (weights);
  H5Fclose (file);
  check_refused ("virtual.h5", "other files");
}

/* Nothing is stored of a dataset that was never written: any size takes some
 * bytes; likewise of one that compresses to nothing. */
static void
test_huge (void)
{
  const hsize_t petabytes[4] = {1 << 16, 1 << 16, 1 << 10, 1 << 10};
  const hsize_t many[4] = {3, 3, 1024, 1024};
  hid_t weights, file = create_model ("huge.h5", &weights);
  hid_t how = H5Pcreate (H5P_DATASET_CREATE);

  put_numbers (weights, "kernel:0", 4, petabytes, H5P_DEFAULT, FALSE);
  H5Gclose (weights);
  H5Fclose (file);
  check_refused ("huge.h5", "more numbers");

  file = create_model ("bomb.h5", &weights);
  H5Pset_chunk (how, 4, many);
  H5Pset_deflate (how, 9);
  put_numbers (weights, "kernel:0", 4, many, how, TRUE);
  H5Pclose (how);
  H5Gclose (weights);
  H5Fclose (file);
  check_refused ("bomb.h5", "more numbers");
}

/* Groups that hold each other. */
static void
test_loop (void)
{
  hid_t weights, file = create_model ("loop.h5", &weights);

  H5Lcreate_hard (file, "/", weights, "a", H5P_DEFAULT, H5P_DEFAULT);
  H5Lcreate_hard (file, "/", weights, "b", H5P_DEFAULT, H5P_DEFAULT);
  H5Gclose (weights);
  H5Fclose (file);
  check_refused ("loop.h5", "deep");
}

/* Whatever becomes of the child, there is a network or an error. */
static void
test_damaged (void)
{
  g_autofree gchar *path = find ("damaged.h5");
  g_autofree gchar *contents = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  hid_t how = H5Pcreate (H5P_DATASET_CREATE);
  const hsize_t chunk[4] = {2, 3, 3, 3};
  gsize n;

  H5Pset_chunk (how, 4, chunk);
  H5Pset_deflate (how, 9);
  write_model ("damaged.h5", how);
  H5Pclose (how);
  g_assert_true (g_file_get_contents (path, &contents, &n, NULL));
  for (guint i = 0; i < 20; i++) {
    g_autofree gchar *copy = g_memdup2 (contents, n);
    g_autoptr (GError) error = NULL;
    SrganNetwork *network;
    gsize size = n;

    if (i < 10)
      size = 8 + n * i / 10;
    else
      for (guint j = 0; j < 4; j++)
        copy[g_rand_int_range (rand, 8, (gint) n)] ^=
            (gchar) (1 << g_rand_int_range (rand, 0, 8));
    g_assert_true (g_file_set_contents (path, copy, (gssize) size, NULL));
    network = srgan_convert_read (path, NULL, NULL, &error);
    g_assert_true ((network != NULL) == (error == NULL));
    g_clear_pointer (&network, srgan_network_unref);
  }
}

/* --- The answer ---------------------------------------------------------- */

typedef struct {
  GByteArray *bytes;
  gsize at;
} Answer;

static gboolean
take (gpointer data, gpointer to, gsize n, GError **error)
{
  Answer *answer = data;

  if (n > answer->bytes->len - answer->at)
    return srgan_convert_corrupt (error, "it broke off");
  memcpy (to, answer->bytes->data + answer->at, n);
  answer->at += n;
  return TRUE;
}

static void
put_head (Answer *answer, guint kind, const gchar *name, guint64 n)
{
  SrganHdf5Head head = {
      .kind = kind, .name_length = (guint32) strlen (name), .data_length = n};

  g_byte_array_append (answer->bytes, (const guint8 *) &head, sizeof head);
  g_byte_array_append (
      answer->bytes, (const guint8 *) name, (guint) strlen (name));
}

/* The child's word is trusted no more than the file's. */
static void
test_answer (void)
{
  static const struct {
    guint kind;
    guint64 n;
    const gchar *part;
  } lies[] = {
      {SRGAN_HDF5_TENSOR, G_MAXUINT64, "more than"},
      {SRGAN_HDF5_TENSOR, 8, "shape"},
      {SRGAN_HDF5_ATTRIBUTE, G_MAXUINT32, "more than"},
      {SRGAN_HDF5_ATTRIBUTE, 100, "broke off"},
      {99, 0, "kind"},
  };

  g_autoptr (GRand) rand = g_rand_new_with_seed (1);

  for (guint i = 0; i < G_N_ELEMENTS (lies); i++) {
    Answer answer = {g_byte_array_new (), 0};
    g_autoptr (GError) error = NULL;

    g_byte_array_append (answer.bytes, (const guint8 *) SRGAN_HDF5_MAGIC, 8);
    put_head (&answer, SRGAN_HDF5_GROUP, "", 0);
    put_head (&answer, lies[i].kind, "name", lies[i].n);
    g_assert_null (srgan_hdf5_parse (take, &answer, 1 << 20, &error));
    g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT);
    g_assert_nonnull (strstr (error->message, lies[i].part));
    g_byte_array_unref (answer.bytes);
  }
  for (guint i = 0; i < 2000; i++) {
    Answer answer = {g_byte_array_new (), 0};
    g_autoptr (GError) error = NULL;
    SrganHdf5 *file;

    g_byte_array_append (answer.bytes, (const guint8 *) SRGAN_HDF5_MAGIC, 8);
    put_head (&answer, SRGAN_HDF5_GROUP, "group", 0);
    put_head (&answer, SRGAN_HDF5_ATTRIBUTE, "group@name", 8);
    g_byte_array_append (answer.bytes, (const guint8 *) "abc\0def", 8);
    put_head (&answer, SRGAN_HDF5_TENSOR, "group/numbers", 4);
    g_byte_array_append (answer.bytes, (const guint8 *) "abcd", 4);
    put_head (&answer, SRGAN_HDF5_END, "", 0);
    for (guint j = 0; j < i % 4; j++)
      answer.bytes
          ->data[g_rand_int_range (rand, 0, (gint) answer.bytes->len)] ^=
          (guint8) (1 << g_rand_int_range (rand, 0, 8));
    file = srgan_hdf5_parse (take, &answer, 1 << 20, &error);
    g_assert_true ((file != NULL) == (error == NULL));
    g_assert_true (file != NULL || i % 4 != 0);
    g_clear_pointer (&file, srgan_hdf5_free);
    g_byte_array_unref (answer.bytes);
  }
}

/* --- .keras -------------------------------------------------------------- */

static void
write_zip (const gchar *name, const gchar *config, gsize n)
{
  g_autofree gchar *path = find (name);
  g_autofree gchar *weights_path = find ("whole.h5");
  g_autofree gchar *weights = NULL;
  gsize n_weights;
  zip_t *zip = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, NULL);

  write_model ("whole.h5", H5P_DEFAULT);
  g_assert_true (
      g_file_get_contents (weights_path, &weights, &n_weights, NULL));
  zip_file_add (zip, "config.json", zip_source_buffer (zip, config, n, 0), 0);
  zip_file_add (zip, "model.weights.h5",
      zip_source_buffer (zip, weights, n_weights, 0), 0);
  g_assert_cmpint (zip_close (zip), ==, 0);
}

static void
test_zip (void)
{
  gsize n = 64 * 1024 * 1024;
  g_autofree gchar *spaces = g_malloc (n);
  g_autofree gchar *nested = NULL;
  GString *text = g_string_new (NULL);

  memset (spaces, ' ', n);
  write_zip ("bomb.keras", spaces, n);
  check_refused ("bomb.keras", "members unpack to more");
  write_zip ("other.keras", "{}", 2);
  check_refused ("other.keras", "without layers");
  /* models in models without an end */
  for (guint i = 0; i < 20; i++)
    g_string_append (text, "{\"class_name\": \"Sequential\", \"config\": "
                           "{\"layers\": [");
  for (guint i = 0; i < 20; i++)
    g_string_append (text, "]}}");
  nested = g_string_free (text, FALSE);
  write_zip ("deep.keras", nested, strlen (nested));
  check_refused ("deep.keras", "deep");
}

/* A function that nothing tells of is refused, and not run. */
static void
test_lambda (void)
{
  static const gchar lambda[] =
      "{\"class_name\": \"Sequential\", \"config\": {\"layers\": ["
      "{\"class_name\": \"Lambda\", \"config\": {\"name\": \"secret\", "
      "\"batch_input_shape\": [null, null, null, 3], \"function\": "
      "[\"4wEAAAA=\", null, null], \"function_type\": \"lambda\"}}]}}";

  write_zip ("lambda.keras", lambda, strlen (lambda));
  check_refused ("lambda.keras", "never executed");
}

/* --- TensorFlow.js ------------------------------------------------------- */

static void
write_js (const gchar *path, const gchar *shape)
{
  g_autofree gchar *text = g_strdup_printf (
      "{\"modelTopology\": {\"model_config\": %s}, \"weightsManifest\": "
      "[{\"paths\": [%s], \"weights\": [{\"name\": \"conv2d/kernel\", "
      "\"shape\": %s, \"dtype\": \"float32\"}]}]}",
      topology, path, shape);

  write_file ("model.json", text, strlen (text));
}

static void
test_shards (void)
{
  const gfloat zeros[81] = {0.f};
  g_autofree gchar *path = find ("model.json");
  g_autofree gchar *link = find ("link.bin");
  g_autoptr (SrganNetwork) network = NULL;
  g_autoptr (GError) error = NULL;

  write_file ("shard.bin", zeros, sizeof zeros);
  write_js ("\"shard.bin\"", "[3, 3, 3, 3]");
  network = srgan_convert_read (path, NULL, NULL, &error);
  g_assert_no_error (error);
  write_js ("\"../../etc/passwd\"", "[3, 3, 3, 3]");
  check_refused ("model.json", "outside its own folder");
  write_js ("\"/etc/passwd\"", "[3, 3, 3, 3]");
  check_refused ("model.json", "outside its own folder");
  g_assert_cmpint (symlink ("/etc/passwd", link), ==, 0);
  write_js ("\"link.bin\"", "[3, 3, 3, 3]");
  check_refused ("model.json", "leads out");
  write_js ("\"shard.bin\", \"shard.bin\"", "[3, 3, 3, 3]");
  check_refused ("model.json", "twice");
  write_js ("\"shard.bin\"", "[1000000, 1000000, 1000000, 3]");
  check_refused ("model.json", "more than");
  write_js ("\"shard.bin\"", "[3, 3, 3, 300]");
  check_refused ("model.json", "are needed");
}

static void
remove_folder (void)
{
  GDir *directory = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (directory)) != NULL) {
    g_autofree gchar *path = find (name);

    g_unlink (path);
  }
  g_dir_close (directory);
  g_rmdir (folder);
  g_free (folder);
}

gint
main (gint argc, gchar **argv)
{
  gint status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("srgan-keras-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/keras/whole", test_whole);
  g_test_add_func ("/keras/links", test_links);
  g_test_add_func ("/keras/external", test_external);
  g_test_add_func ("/keras/virtual", test_virtual);
  g_test_add_func ("/keras/huge", test_huge);
  g_test_add_func ("/keras/loop", test_loop);
  g_test_add_func ("/keras/damaged", test_damaged);
  g_test_add_func ("/keras/answer", test_answer);
  g_test_add_func ("/keras/zip", test_zip);
  g_test_add_func ("/keras/lambda", test_lambda);
  g_test_add_func ("/tensorflow-js/shards", test_shards);
  status = g_test_run ();
  remove_folder ();
  return status;
}

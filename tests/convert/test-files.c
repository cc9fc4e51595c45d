/* tests: files that mean harm, and files that come back as they went.
 *
 * SPDX-License-Identifier: MIT
 */
#include <glib/gstdio.h>
#include <srgan/srgan-convert.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zip.h>

#define MAX_MEMORY (256 * 1024 * 1024)

static gchar *folder;

/* Writes @size bytes to a file of the test's folder and gives its path. */
static gchar *
write_file (const gchar *name, gconstpointer data, gsize size)
{
  gchar *path = g_build_filename (folder, name, NULL);

  g_assert_true (g_file_set_contents (path, data, (gssize) size, NULL));
  return path;
}

/* Reading @path fails with @code and a reason that holds @words. */
static void
check_refused (const gchar *path, SrganError code, const gchar *words)
{
  g_autoptr (GError) error = NULL;
  SrganNetwork *network = srgan_convert_read (path, NULL, NULL, &error);

  g_assert_null (network);
  g_test_message ("%s", error != NULL ? error->message : "no error");
  g_assert_error (error, SRGAN_ERROR, (gint) code);
  g_assert_nonnull (strstr (error->message, words));
}

/* The same in a process of its own, whose memory is measured. */
static void
check_refused_small (const gchar *path, SrganError code, const gchar *words)
{
  struct rusage usage;
  gint status;
  pid_t child = fork ();

  g_assert_cmpint (child, >=, 0);
  if (child == 0) {
    check_refused (path, code, words);
    _exit (0);
  }
  g_assert_cmpint (wait4 (child, &status, 0, &usage), ==, child);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
  g_test_message ("%s: %ld MiB", path, usage.ru_maxrss / 1024);
  g_assert_cmpint (usage.ru_maxrss, <, MAX_MEMORY / 1024);
}

static void
put (GByteArray *file, gconstpointer data, gsize size)
{
  g_byte_array_append (file, data, (guint) size);
}

/* --- Pickles ---------------------------------------------------------------
 */

#define MARK_FILE "called"

/* A zip as torch.save() writes it, with @pickle in it. */
static gchar *
write_archive (const gchar *name, const gchar *pickle, gsize size)
{
  gchar *path = g_build_filename (folder, name, NULL);
  zip_t *zip = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
  zip_source_t *source = zip_source_buffer (zip, pickle, size, 0);

  g_assert_cmpint (zip_file_add (zip, "archive/data.pkl", source, 0), >=, 0);
  g_assert_cmpint (zip_close (zip), ==, 0);
  return path;
}

static void
test_pickle_call (void)
{
  g_autofree gchar *mark = g_build_filename (folder, MARK_FILE, NULL);
  g_autofree gchar *text =
      g_strdup_printf ("cos\nsystem\n(S'touch %s'\ntR.", mark);
  g_autofree gchar *plain = write_file ("plain.pth", text, strlen (text));
  g_autofree gchar *zipped = write_archive ("zipped.pth", text, strlen (text));

  check_refused_small (plain, SRGAN_ERROR_UNSUPPORTED, "os.system");
  check_refused_small (zipped, SRGAN_ERROR_UNSUPPORTED, "os.system");
  g_assert_false (g_file_test (mark, G_FILE_TEST_EXISTS));
}

/* Names that are looked up on the way, by the newer operation, or hidden in an
 * instance's class. */
static void
test_pickle_names (void)
{
  static const struct {
    const gchar *pickle;
    gsize size;
    const gchar *words;
  } cases[] = {
#define CASE(text, words) {text, sizeof text - 1, words}
      CASE ("\x80\x04\x8c\x08"
            "builtins\x8c\x04"
            "eval\x93\x8c\x03"
            "1+1\x85R.",
          "builtins.eval"),
      CASE ("\x80\x02"
            "csubprocess\nPopen\n)\x81.",
          "subprocess.Popen"),
      CASE ("\x80\x02(S'ls'\nios\nsystem\n.", "os.system"),
      CASE ("\x80\x02"
            "csome.library\nload\nX\x01\x00\x00\x00x\x85R.",
          "some.library.load"),
#undef CASE
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path =
        write_archive ("names.pth", cases[i].pickle, cases[i].size);

    check_refused (path, SRGAN_ERROR_UNSUPPORTED, cases[i].words);
  }
}

static void
test_pickle_broken (void)
{
  static const struct {
    const gchar *pickle;
    gsize size;
  } cases[] = {
#define CASE(text) {text, sizeof text - 1}
      CASE ("\x80\x02"),
      CASE ("\x80\x02."),
      CASE ("\x80\x02}X\xff\xff\xff\xffx."),
      CASE ("\x80\x02\x8e\xff\xff\xff\xff\xff\xff\xff\xff."),
      CASE ("\x80\x02R."),
      CASE ("\x80\x02tu."),
      CASE ("\x80\x02(u."),
      CASE ("\x80\x02h\x07."),
      CASE ("\x80\x02]q\x01h\x01"
            "a."), /* a list that holds itself */
      CASE ("\x80\x02}q\x01X\x01\x00\x00\x00xh\x01s."),
      CASE ("\x80\x09."),
#undef CASE
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path =
        write_archive ("broken.pth", cases[i].pickle, cases[i].size);
    g_autoptr (GError) error = NULL;

    g_assert_null (srgan_convert_read (path, NULL, NULL, &error));
    g_test_message ("%s", error->message);
    g_assert_true (error->domain == SRGAN_ERROR);
  }
}

/* --- Sizes that mean harm
 * ----------------------------------------------------- */

static void
test_zip_bomb (void)
{
  static const gchar pickle[] = "\x80\x02}.";
  const gsize size = 64 * 1024 * 1024;
  g_autofree gchar *path = g_build_filename (folder, "bomb.pth", NULL);
  gchar *zeros = g_malloc0 (size);
  zip_t *zip = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, NULL);

  zip_file_add (zip, "archive/data.pkl",
      zip_source_buffer (zip, pickle, sizeof pickle - 1, 0), 0);
  zip_file_add (
      zip, "archive/data/0", zip_source_buffer (zip, zeros, size, 0), 0);
  g_assert_cmpint (zip_close (zip), ==, 0);
  g_free (zeros);
  check_refused_small (path, SRGAN_ERROR_TOO_LARGE, "unpack");
}

static void
test_huge_header (void)
{
  static const gchar *const headers[] = {
      /* 4 GiB in a file of nothing, a product that overflows, a petabyte */
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1073741824],"
      "\"data_offsets\":[0,4294967296]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[4294967296,4294967296,4],"
      "\"data_offsets\":[0,0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[0,1125899906842624],"
      "\"data_offsets\":[0,0]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[8,4]}}",
      "{\"a\":{\"dtype\":\"F32\",\"shape\":[-1],\"data_offsets\":[0,4]}}",
      "{\"a\":[[[[[[[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]]]]]]]]}",
  };

  for (guint i = 0; i < G_N_ELEMENTS (headers); i++) {
    guint64 length = GUINT64_TO_LE ((guint64) strlen (headers[i]));
    g_autoptr (GByteArray) file = g_byte_array_new ();
    g_autofree gchar *path = NULL;
    g_autoptr (GError) error = NULL;

    put (file, &length, sizeof length);
    put (file, headers[i], strlen (headers[i]));
    path = write_file ("huge.safetensors", file->data, file->len);
    g_assert_null (srgan_convert_read (path, NULL, NULL, &error));
    g_test_message ("%s", error->message);
    g_assert_true (error->domain == SRGAN_ERROR);
  }
}

/* A tensor of 4 GiB in a pickle, and a file for it of nothing. */
static void
test_huge_pickle (void)
{
  static const gchar pickle[] = "\x80\x02}X\x01\x00\x00\x00w"
                                "ctorch._utils\n_rebuild_tensor_v2\n("
                                "(X\x07\x00\x00\x00storage"
                                "ctorch\nFloatStorage\n"
                                "X\x01\x00\x00\x00"
                                "0X\x03\x00\x00\x00"
                                "cpuJ\x00\x00\x00\x40tQ"
                                "K\x00J\x00\x00\x00\x40\x85K\x01\x85"
                                "\x89}tRs.";
  g_autofree gchar *path = g_build_filename (folder, "huge.pth", NULL);
  zip_t *zip = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, NULL);

  zip_file_add (zip, "archive/data.pkl",
      zip_source_buffer (zip, pickle, sizeof pickle - 1, 0), 0);
  zip_file_add (
      zip, "archive/data/0", zip_source_buffer (zip, "0000", 4, 0), 0);
  g_assert_cmpint (zip_close (zip), ==, 0);
  check_refused_small (path, SRGAN_ERROR_TOO_LARGE, "'w'");
}

/* --- ONNX, written field by field ------------------------------------------
 */

static void
put_varint (GByteArray *file, guint64 number)
{
  do {
    guint8 byte = (guint8) (number & 127) | (number > 127 ? 128 : 0);

    put (file, &byte, 1);
    number >>= 7;
  } while (number > 0);
}

static void
put_number (GByteArray *file, guint field, guint64 number)
{
  put_varint (file, field << 3);
  put_varint (file, number);
}

static void
put_bytes (GByteArray *file, guint field, gconstpointer data, gsize size)
{
  put_varint (file, field << 3 | 2);
  put_varint (file, size);
  put (file, data, size);
}

static void
put_text (GByteArray *file, guint field, const gchar *text)
{
  put_bytes (file, field, text, strlen (text));
}

static void
put_message (GByteArray *file, guint field, GByteArray *message)
{
  put_bytes (file, field, message->data, message->len);
}

/* A convolution of 1 x 1 with weights of @n numbers in file @location, or with
 * none (%NULL). */
static gchar *
write_onnx (const gchar *name, guint64 n, const gchar *location)
{
  g_autoptr (GByteArray) model = g_byte_array_new ();
  g_autoptr (GByteArray) graph = g_byte_array_new ();
  g_autoptr (GByteArray) node = g_byte_array_new ();
  g_autoptr (GByteArray) weights = g_byte_array_new ();
  g_autoptr (GByteArray) entry = g_byte_array_new ();
  g_autoptr (GByteArray) value = g_byte_array_new ();
  g_autoptr (GByteArray) version = g_byte_array_new ();

  put_text (node, 1, "x");
  put_text (node, 1, "w");
  put_text (node, 2, "y");
  put_text (node, 4, "Conv");
  put_message (graph, 1, node);
  put_number (weights, 1, n);
  for (guint i = 0; i < 3; i++)
    put_number (weights, 1, 1);
  put_number (weights, 2, 1);
  put_text (weights, 8, "w");
  if (location != NULL) {
    put_text (entry, 1, "location");
    put_text (entry, 2, location);
    put_message (weights, 13, entry);
    put_number (weights, 14, 1);
  } else {
    put_text (weights, 9, "0000");
  }
  put_message (graph, 5, weights);
  put_text (value, 1, "x");
  put_message (graph, 11, value);
  g_byte_array_set_size (value, 0);
  put_text (value, 1, "y");
  put_message (graph, 12, value);
  put_number (model, 1, 8);
  put_message (model, 7, graph);
  put_number (version, 2, 17);
  put_message (model, 8, version);
  return write_file (name, model->data, model->len);
}

static void
test_huge_onnx (void)
{
  g_autofree gchar *large = write_onnx ("large.onnx", 1073741824, NULL);
  g_autofree gchar *endless =
      write_onnx ("endless.onnx", G_GUINT64_CONSTANT (1) << 62, NULL);

  check_refused_small (large, SRGAN_ERROR_TOO_LARGE, "'w'");
  check_refused_small (endless, SRGAN_ERROR_TOO_LARGE, "'w'");
}

static void
test_outside (void)
{
  static const gchar *const places[] = {
      "../../etc/passwd",
      "a/../../../etc/passwd",
      "/etc/passwd",
      "..\\..\\etc\\passwd",
      "link",
  };
  g_autofree gchar *link = g_build_filename (folder, "link", NULL);

  g_assert_cmpint (symlink ("/etc/passwd", link), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree gchar *path = write_onnx ("outside.onnx", 16, places[i]);

    check_refused_small (path, SRGAN_ERROR_UNSUPPORTED, "refused");
  }
}

/* --- What no network of convolutions is -------------------------------------
 */

static void
test_transformer (void)
{
  static const gchar *const names[] = {
      /* SwinIR, HAT, DAT, and as their checkpoints are wrapped */
      "layers.0.residual_group.blocks.0.attn.relative_position_bias_table",
      "params_ema.layers.0.residual_group.blocks.0.attn.qkv.weight",
      "layers.0.residual_group.overlap_attn.relative_position_bias_table",
      "layers.0.blocks.0.attn.qkv.weight",
      "layers.0.attn.relative_position_bias_table",
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree gchar *header =
        g_strdup_printf ("{\"%s\":{\"dtype\":\"F32\",\"shape\":[1],"
                         "\"data_offsets\":[0,4]}}",
            names[i]);
    guint64 length = GUINT64_TO_LE ((guint64) strlen (header));
    g_autoptr (GByteArray) file = g_byte_array_new ();
    g_autofree gchar *path = NULL;
    gfloat zero = 0.f;

    put (file, &length, sizeof length);
    put (file, header, strlen (header));
    put (file, &zero, sizeof zero);
    path = write_file ("swinir.safetensors", file->data, file->len);
    check_refused (path, SRGAN_ERROR_UNSUPPORTED, "transformer");
  }
}

/* --- Shaders ----------------------------------------------------------------
 */

static void
test_shaders (void)
{
  static const struct {
    const gchar *text;
    const gchar *words;
  } cases[] = {
      {"//!HOOK CHROMA\n//!BIND HOOKED\nvec4 hook() { return vec4(0); }",
          "CHROMA"},
      {"//!HOOK LUMA\n//!BIND none\nvec4 hook() { return vec4(0); }", "'none'"},
      {"//!HOOK LUMA\n//!BIND HOOKED\nvec4 hook() {\n  while (true) ;\n}",
          "more is computed"},
      {"//!HOOK LUMA\n//!BIND HOOKED\nvec4 hook() { return hook(); }",
          "nested too deeply"},
      {"//!HOOK LUMA\n//!BIND HOOKED\nvec4 hook() {\n"
       "  float a[65536][65536];\n  return vec4(0);\n}",
          "an array of"},
      {"//!HOOK LUMA\n//!BIND HOOKED\n"
       "#define a b b\n#define b c c\n#define c a a\n"
       "vec4 hook() { return vec4(a); }",
          "line"},
      {"//!HOOK LUMA\n//!BIND HOOKED\nvec4 hook() {\n"
       "  vec4 x = HOOKED_tex(HOOKED_pos);\n  return x * x;\n}",
          "product"},
      {"//!HOOK LUMA\n//!BIND HOOKED\n//!SAVE a\n"
       "vec4 hook() { return HOOKED_tex(HOOKED_pos); }",
          "no pass makes a picture"},
      {"//!HOOK LUMA\n//!BIND HOOKED\n//!WIDTH HOOKED.w 1.5 *\n"
       "vec4 hook() { return HOOKED_tex(HOOKED_pos); }",
          "whole factors"},
      {"//!HOOK LUMA\n//!BIND LUMA", "within a header"},
      {"//!TEXTURE lut\n//!SIZE 4 4\n//!FORMAT r8\n00000000\n//!HOOK LUMA\n",
          "lut"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree gchar *path =
        write_file ("bad.glsl", cases[i].text, strlen (cases[i].text));
    g_autoptr (GError) error = NULL;

    g_assert_null (srgan_convert_read (path, NULL, NULL, &error));
    g_test_message ("%s", error->message);
    g_assert_true (error->domain == SRGAN_ERROR);
    g_assert_nonnull (strstr (error->message, cases[i].words));
  }
}

/* --- Round trips
 * ------------------------------------------------------------------ */

/* The convolution after @index, or %NULL; moves @index on to it. */
static const SrganLayer *
next_conv (SrganNetwork *network, gint *index)
{
  while (++*index < (gint) srgan_network_get_n_layers (network)) {
    const SrganLayer *layer = srgan_network_get_layer (network, (guint) *index);

    if (layer->operation == SRGAN_OPERATION_CONV)
      return layer;
  }
  return NULL;
}

/* The same convolutions with the same numbers; what goes between them may come
 * in another order. */
static void
check_equal (SrganNetwork *a, SrganNetwork *b)
{
  gint i = -1, j = -1;

  g_assert_cmpuint (
      srgan_network_get_n_layers (a), ==, srgan_network_get_n_layers (b));
  g_assert_cmpuint (srgan_network_get_n_parameters (a), ==,
      srgan_network_get_n_parameters (b));
  for (;;) {
    const SrganLayer *x = next_conv (a, &i), *y = next_conv (b, &j);
    gsize n;

    if (x == NULL || y == NULL) {
      g_assert_true (x == y);
      return;
    }
    n = (gsize) x->out_channels * x->in_channels * x->kernel_width *
        x->kernel_height;
    g_assert_cmpint (x->activation, ==, y->activation);
    g_assert_cmpmem (
        x->weight, n * sizeof (gfloat), y->weight, n * sizeof (gfloat));
    g_assert_cmpmem (x->bias, x->out_channels * sizeof (gfloat), y->bias,
        y->out_channels * sizeof (gfloat));
    if (x->activation == SRGAN_ACTIVATION_PRELU)
      g_assert_cmpmem (x->slope, x->out_channels * sizeof (gfloat), y->slope,
          y->out_channels * sizeof (gfloat));
  }
}

static void
test_round_trip (gconstpointer data)
{
  const SrganWriteOptions options = {
      .target = (SrganTarget) GPOINTER_TO_UINT (data)};
  const gchar *ending =
      options.target == SRGAN_TARGET_ONNX ? "onnx" : "safetensors";
  g_autofree gchar *name = g_strdup_printf ("trip.%s", ending);
  g_autofree gchar *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (SrganNetwork) network =
      srgan_network_open ("fast-clean-x2", 0, NULL, &error);
  g_autoptr (SrganNetwork) again = NULL;

  g_assert_no_error (error);
  srgan_convert_write (network, path, &options, &error);
  g_assert_no_error (error);
  again = srgan_convert_read (path, NULL, NULL, &error);
  g_assert_no_error (error);
  check_equal (network, again);
}

/* A network that a format has no word for leaves nothing behind. */
static void
test_not_written (void)
{
  const SrganWriteOptions options = {0};
  g_autofree gchar *path = g_build_filename (folder, "none.rsr", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (SrganNetwork) network =
      srgan_network_open ("fast-clean-x2", 0, NULL, NULL);

  g_assert_false (srgan_convert_write (network, path, &options, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
remove_folder (void)
{
  GDir *directory = g_dir_open (folder, 0, NULL);
  const gchar *name;

  while ((name = g_dir_read_name (directory)) != NULL) {
    g_autofree gchar *path = g_build_filename (folder, name, NULL);

    g_unlink (path);
  }
  g_dir_close (directory);
  g_rmdir (folder);
  g_free (folder);
}

/* --- Feature networks ---------------------------------------------------- */

static const gchar classifier[] =
    "7767517\n6 6\n"
    "Input data 0 1 data 0=9 1=9 2=3\n"
    "Convolution a/conv 1 1 data a 0=2 1=3 3=2 5=1 6=54 9=1\n"
    "Pooling pool 1 1 a pool 1=3 2=2\n"
    "Convolution b/conv 1 1 pool b 0=5 1=1 5=0 6=10\n"
    "Pooling mean 1 1 b mean 0=1 4=1\n"
    "Softmax verdict 1 1 mean verdict\n";

/* What a classifier makes of its maps is cut off; what it wants of pictures is
 * in its first layer. */
static void
test_features (void)
{
  static const gdouble mean[3] = {104, 117, 123};
  gfloat numbers[1 + 54 + 2 + 1 + 10] = {0};
  g_autofree gchar *path = NULL, *bin = NULL;
  SrganConvertOptions options = {.features = TRUE,
      .range = SRGAN_RANGE_CODE,
      .order = SRGAN_ORDER_BGR,
      .mean = {104, 117, 123}};
  g_autoptr (GError) error = NULL;
  const SrganLayer *layer;
  SrganNetwork *network;

  /* a tag, 0, before the weights of each */
  for (guint i = 0; i < 54; i++)
    numbers[1 + i] = (gfloat) (i % 7) - 3;
  numbers[55] = .5f;
  numbers[56] = -.5f;
  for (guint i = 0; i < 10; i++)
    numbers[58 + i] = (gfloat) i;
  path = write_file ("classifier.param", classifier, strlen (classifier));
  bin = write_file ("classifier.bin", numbers, sizeof numbers);
  check_refused (path, SRGAN_ERROR_UNSUPPORTED, "Softmax");

  network = srgan_convert_read (path, &options, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (srgan_network_gives_features (network));
  g_assert_cmpuint (srgan_network_get_n_layers (network), ==, 3);
  layer = srgan_network_get_layer (network, 1);
  g_assert_cmpint (layer->operation, ==, SRGAN_OPERATION_MAX_POOL);
  g_assert_cmpuint (layer->ceil_mode, ==, 1);
  layer = srgan_network_get_layer (network, 0);
  g_assert_cmpstr (layer->name, ==, "a_conv");
  for (guint o = 0; o < 2; o++) {
    gdouble bias = numbers[55 + o];

    for (guint c = 0; c < 3; c++)
      for (guint t = 0; t < 9; t++) {
        gfloat weight = numbers[1 + (o * 3 + c) * 9 + t];

        bias -= mean[c] * weight;
        g_assert_cmpfloat_with_epsilon (
            layer->weight[(o * 3 + 2 - c) * 9 + t], 255 * weight, 1e-3);
      }
    g_assert_cmpfloat_with_epsilon (layer->bias[o], bias, 1e-2);
  }
  srgan_network_unref (network);

  options.feature_layers = "a_conv";
  network = srgan_convert_read (path, &options, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (srgan_network_get_n_layers (network), ==, 1);
  g_assert_cmpstr (srgan_network_get_note (network, "features"), ==, "a_conv");
  srgan_network_unref (network);

  options.feature_layers = "a_conv;nothing";
  g_assert_null (srgan_convert_read (path, &options, NULL, &error));
  g_assert_error (error, SRGAN_ERROR, SRGAN_ERROR_INVALID);
  g_assert_nonnull (strstr (error->message, "nothing"));
}

gint
main (gint argc, gchar **argv)
{
  gint status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("srgan-convert-XXXXXX", NULL);
  g_assert_nonnull (folder);
  g_test_add_func ("/files/pickle/call", test_pickle_call);
  g_test_add_func ("/files/pickle/names", test_pickle_names);
  g_test_add_func ("/files/pickle/broken", test_pickle_broken);
  g_test_add_func ("/files/zip-bomb", test_zip_bomb);
  g_test_add_func ("/files/huge-header", test_huge_header);
  g_test_add_func ("/files/huge-pickle", test_huge_pickle);
  g_test_add_func ("/files/huge-onnx", test_huge_onnx);
  g_test_add_func ("/files/outside", test_outside);
  g_test_add_func ("/files/transformer", test_transformer);
  g_test_add_func ("/files/shaders", test_shaders);
  g_test_add_func ("/files/features", test_features);
  g_test_add_data_func ("/files/round-trip/onnx",
      GUINT_TO_POINTER (SRGAN_TARGET_ONNX), test_round_trip);
  g_test_add_data_func ("/files/round-trip/pytorch",
      GUINT_TO_POINTER (SRGAN_TARGET_PYTORCH), test_round_trip);
  g_test_add_data_func ("/files/round-trip/srgan",
      GUINT_TO_POINTER (SRGAN_TARGET_SRGAN), test_round_trip);
  g_test_add_func ("/files/not-written", test_not_written);
  status = g_test_run ();
  remove_folder ();
  return status;
}

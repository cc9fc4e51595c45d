/* tests: model files changed at random: each load ends with an error or with a
 * network that can be written and read again. Worth running under
 * AddressSanitizer.
 *
 * SRGAN_FUZZ_SEED picks another run, SRGAN_FUZZ_COUNT how long it is.
 *
 * SPDX-License-Identifier: MIT
 */
#include "test-files.h"
#include "test-networks.h"

#include <string.h>

#define COUNT 20000

/* Where the two levels of JSON can be hit. */
static const gchar *const tokens[] = {"{", "}", "[", "]", ",", ":", "\"",
    "\\\"", "\\", "null", "true", "-1", "0", "1", "2", "1e308", "-0.0",
    "1e-400", "4294967295", "4294967296", "9223372036854775807",
    "18446744073709551616", "\\u0000", "\\ud800", "\xc3\xa4", "\xff", "\n",
    "\"conv\"", "\\\"conv\\\"", "\\\"input\\\"", "\\\"add\\\"",
    "\\\"batch-norm\\\"", "F16", "BF16", "I8", "\\\"int8\\\"", "F64", "input",
    "[[[[", "{}", "[]", "\"\"", "\\\"\\\"", "stride", "groups"};

static void
change (GString *header, GRand *rand)
{
  gsize at = g_rand_int_range (rand, 0, (gint) header->len);
  gsize length = (gsize) g_rand_int_range (rand, 1, 40);
  const gchar *token =
      tokens[g_rand_int_range (rand, 0, G_N_ELEMENTS (tokens))];

  length = MIN (length, header->len - at);
  switch (g_rand_int_range (rand, 0, 8)) {
  case 0: /* one byte */
    header->str[at] = (gchar) g_rand_int_range (rand, 0, 256);
    break;
  case 1: /* one bit */
    header->str[at] ^= (gchar) (1 << g_rand_int_range (rand, 0, 8));
    break;
  case 2: /* a piece lost */
    g_string_erase (header, (gssize) at, (gssize) length);
    break;
  case 3: { /* a piece twice */
    g_autofree gchar *piece = g_strndup (header->str + at, length);

    g_string_insert (header, (gssize) at, piece);
    break;
  }
  case 4: { /* a piece elsewhere */
    g_autofree gchar *piece = g_strndup (header->str + at, length);

    g_string_insert (
        header, g_rand_int_range (rand, 0, (gint) header->len), piece);
    break;
  }
  case 5: /* a word put in */
    g_string_insert (header, (gssize) at, token);
    break;
  case 6: /* a number replaced */
  case 7:
    while (at < header->len && !g_ascii_isdigit (header->str[at]))
      at++;
    length = 0;
    while (g_ascii_isdigit (header->str[at + length]))
      length++;
    g_string_erase (header, (gssize) at, (gssize) length);
    g_string_insert (header, (gssize) at, token);
    break;
  }
}

static guint64
get_number (const gchar *variable, guint64 otherwise)
{
  const gchar *text = g_getenv (variable);

  return text != NULL ? g_ascii_strtoull (text, NULL, 10) : otherwise;
}

static void
test_fuzz (void)
{
  TestChain chain = {.channels = 3, .activation = SRGAN_ACTIVATION_PRELU};
  SrganNetwork *networks[] = {
      test_network_new_chain (&chain),
      test_network_new_everything (),
      NULL,
  };
  GRand *rand =
      g_rand_new_with_seed ((guint32) get_number ("SRGAN_FUZZ_SEED", 1));
  guint64 n = get_number ("SRGAN_FUZZ_COUNT", COUNT);
  guint n_taken = 0;

  networks[2] = test_network_new_quantised (networks[0], 1);
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autoptr (GBytes) good = test_file_from_network (networks[i]);
    gsize position, size;
    g_autofree gchar *text = test_file_get_header (good, &position);
    const guint8 *content = g_bytes_get_data (good, &size);

    g_strchomp (text);
    for (guint64 j = 0; j < n / G_N_ELEMENTS (networks); j++) {
      g_autoptr (GString) header = g_string_new (text);
      g_autoptr (GBytes) file = NULL;
      g_autoptr (GError) error = NULL;
      g_autoptr (SrganNetwork) network = NULL;
      guint n_changes = (guint) g_rand_int_range (rand, 1, 4);

      for (guint k = 0; k < n_changes && header->len > 0; k++)
        change (header, rand);
      file = test_file_new (
          header->str, header->len, content + position, size - position);
      network = srgan_network_load_bytes (file, "file", &error);
      if (network == NULL) {
        g_assert_nonnull (error);
        g_assert_true (error->domain == SRGAN_ERROR);
        g_assert_true (g_utf8_validate (error->message, -1, NULL));
      } else {
        g_assert_no_error (error);
        /* writing takes its time (fsync): some of them */
        if (n_taken++ % 50 == 0) {
          g_autoptr (GBytes) written = test_file_from_network (network);
          g_autoptr (SrganNetwork) again =
              srgan_network_load_bytes (written, "again", &error);

          g_assert_no_error (error);
          g_assert_true (test_networks_equal (network, again));
        }
      }
    }
    srgan_network_unref (networks[i]);
  }
  g_test_message ("%u of %" G_GUINT64_FORMAT " taken", n_taken, n);
  g_rand_free (rand);
}

gint
main (gint argc, gchar **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/model-file/fuzz", test_fuzz);
  return g_test_run ();
}

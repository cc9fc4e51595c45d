/* network: JSON out of files that nobody vouches for.
 *
 * SPDX-License-Identifier: MIT
 */
#include "network/json.h"

#include <string.h>

G_GNUC_PRINTF (2, 3)
static gboolean
corrupt (GError **error, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  if (error != NULL)
    *error = g_error_new_valist (
        SRGAN_ERROR, SRGAN_ERROR_CORRUPT, format, arguments);
  va_end (arguments);
  return FALSE;
}

/* What a message may show of a file's text. */
static gchar *
quote (const gchar *text)
{
  g_autofree gchar *start = g_strndup (text, 60);

  return g_strescape (start, NULL);
}

/* json-glib descends by recursion, takes some hundred bytes for a value of one
 * and keeps an object's members in a hash table whose function everyone knows:
 * what it is given must be shallow, small and, since keys may be made to
 * collide, not too wide. */
static gboolean
check_json (const gchar *text, gsize length, const gchar *what,
    const SrganJsonLimits *limits, GError **error)
{
  guint n_members[SRGAN_JSON_MAX_DEPTH + 1] = {0}; /* of each open bracket */
  guint depth = 0, n_marks = 0;
  gboolean in_string = FALSE, closed = FALSE;

  if (length > limits->n_bytes)
    return corrupt (error,
        "%s: %" G_GSIZE_FORMAT " bytes, more than %" G_GSIZE_FORMAT, what,
        length, limits->n_bytes);
  if (!g_utf8_validate_len (text, length, NULL))
    return corrupt (error, "%s: is not UTF-8 text", what);
  for (gsize i = 0; i < length; i++) {
    if (in_string) {
      if (text[i] == '\\')
        i++;
      else if (text[i] == '"')
        in_string = FALSE;
      continue;
    }
    /* json-glib would also take 'var x = {}', and of several values the last,
     * leaking the others */
    if (depth == 0 && !g_ascii_isspace (text[i]) &&
        (closed || (text[i] != '{' && text[i] != '[')))
      return corrupt (error, "%s: is not JSON: byte %" G_GSIZE_FORMAT " %s",
          what, i,
          closed ? "follows after its end" : "does not open an object");
    switch (text[i]) {
    case '"':
      in_string = TRUE;
      break;
    case '{':
    case '[':
      n_marks++;
      if (++depth > limits->depth)
        return corrupt (
            error, "%s: nests more than %u brackets", what, limits->depth);
      n_members[depth] = 0;
      break;
    case '}':
    case ']':
      depth -= depth > 0;
      closed = depth == 0;
      break;
    case ':':
      n_marks++;
      if (++n_members[depth] > limits->n_members)
        return corrupt (error, "%s: has more than %u members in one object",
            what, limits->n_members);
      break;
    case ',':
      n_marks++;
      break;
    case '/':
    case '#':
    case '\'':
      /* comments and single quotes, which json-glib would take and in which
       * brackets mean nothing */
      return corrupt (error, "%s: '%c' at byte %" G_GSIZE_FORMAT " is not JSON",
          what, text[i], i);
    default:
      break;
    }
  }
  if (n_marks > limits->n_values)
    return corrupt (
        error, "%s: holds more than %u values", what, limits->n_values);
  return TRUE;
}

typedef struct {
  GHashTable *seen;
  gchar *twice;
} Members;

static void
note_member (
    JsonParser *parser, JsonObject *object, const gchar *name, gpointer data)
{
  Members *members = data;

  /* json-glib lets a second member of one name replace the first. An object
   * that is replaced may leave its address to another; then there was a
   * second member all the same. */
  if (!g_hash_table_add (
          members->seen, g_strdup_printf ("%p %s", (gpointer) object, name)) &&
      members->twice == NULL)
    members->twice = quote (name);
}

JsonObject *
srgan_json_parse (JsonParser *parser, const gchar *text, gsize length,
    const gchar *what, const SrganJsonLimits *limits, GError **error)
{
  g_autoptr (GError) reason = NULL;
  Members members = {NULL, NULL};
  JsonNode *root = NULL;
  gulong handler;
  gboolean parsed;

  if (!check_json (text, length, what, limits, error))
    return NULL;

  members.seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  handler = g_signal_connect (
      parser, "object-member", G_CALLBACK (note_member), &members);
  parsed = json_parser_load_from_data (parser, text, (gssize) length, &reason);
  g_signal_handler_disconnect (parser, handler);
  g_hash_table_unref (members.seen);

  if (!parsed) {
    /* it quotes the text, and may cut a character in two */
    g_autofree gchar *why = g_utf8_make_valid (reason->message, -1);

    corrupt (error, "%s: is not JSON: %s", what, why);
  } else if (members.twice != NULL) {
    corrupt (error, "%s: has '%s' twice", what, members.twice);
  } else {
    root = json_parser_get_root (parser);
    if (root == NULL || !JSON_NODE_HOLDS_OBJECT (root)) {
      corrupt (error, "%s: is not a JSON object", what);
      root = NULL;
    }
  }
  g_free (members.twice);
  return root != NULL ? json_node_get_object (root) : NULL;
}

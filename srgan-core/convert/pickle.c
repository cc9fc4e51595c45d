/* convert: Python's pickles, read without executing anything.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/pickle.h"

#include "convert/reader.h"

#include <string.h>

/* A network of a thousand tensors takes 30,000 values. */
#define MAX_VALUES (384 * 1024)
/* Items of all tuples, lists and dicts together. */
#define MAX_ITEMS (1024 * 1024)
#define MAX_TEXT (16 * 1024 * 1024)

struct _SrganPickle {
  GPtrArray *values; /* all */
  GPtrArray *stack;
  GHashTable *memo;
  guint64 next_memo;
  guint n_items;
  gsize n_text;
  const gchar *const *callables;
  SrganPickleValue *root;
  /* What is read. */
  const guint8 *data;
  gsize size;
  gsize position;
};

/* Modules whose names have no business in a model. From these, only what is
 * listed below is taken even as a name. */
static const gchar *const foreign_modules[] = {"__builtin__", "_io",
    "_posixsubprocess", "_pickle", "_winapi", "asyncio", "bdb", "builtins",
    "cffi", "code", "codeop", "commands", "ctypes", "dill", "distutils",
    "ftplib", "glob", "http", "httplib", "imaplib", "imp", "importlib",
    "inspect", "io", "joblib", "linecache", "marshal", "multiprocessing", "nt",
    "ntpath", "operator", "os", "pdb", "pickle", "pip", "pkgutil", "platform",
    "poplib", "posix", "posixpath", "profile", "pty", "pydoc", "requests",
    "runpy", "setuptools", "shelve", "shutil", "signal", "site", "smtplib",
    "socket", "sqlite3", "ssl", "subprocess", "sys", "tarfile", "tempfile",
    "test", "threading", "timeit", "trace", "types", "urllib", "urllib2",
    "uuid", "venv", "webbrowser", "xmlrpc", "zipfile", NULL};

static const gchar *const harmless_builtins[] = {"bool", "bytearray", "bytes",
    "complex", "dict", "float", "frozenset", "int", "list", "long", "object",
    "range", "set", "slice", "str", "tuple", "unicode", NULL};

#define corrupt(...) srgan_convert_corrupt (error, "pickle: " __VA_ARGS__)

static void
free_value (gpointer data)
{
  SrganPickleValue *value = data;

  g_free (value->text);
  if (value->items != NULL)
    g_ptr_array_unref (value->items);
  g_free (value);
}

void
srgan_pickle_free (SrganPickle *pickle)
{
  g_ptr_array_unref (pickle->stack);
  g_hash_table_unref (pickle->memo);
  g_ptr_array_unref (pickle->values);
  g_free (pickle);
}

/* --- Reading bytes ------------------------------------------------------ */

static const guint8 *
take (SrganPickle *pickle, guint64 n, GError **error)
{
  const guint8 *bytes = pickle->data + pickle->position;

  if (n > pickle->size - pickle->position) {
    corrupt (
        "ends within an operation, at byte %" G_GSIZE_FORMAT, pickle->position);
    return NULL;
  }
  pickle->position += n;
  return bytes;
}

static gboolean
take_uint (SrganPickle *pickle, guint size, guint64 *value, GError **error)
{
  const guint8 *bytes = take (pickle, size, error);

  if (bytes == NULL)
    return FALSE;
  *value = 0;
  for (guint i = 0; i < size; i++)
    *value |= (guint64) bytes[i] << 8 * i;
  return TRUE;
}

/* Up to the next newline; not terminated. */
static const gchar *
take_line (SrganPickle *pickle, gsize *length, GError **error)
{
  const gchar *line = (const gchar *) pickle->data + pickle->position;
  const gchar *end = memchr (line, '\n', pickle->size - pickle->position);

  if (end == NULL) {
    corrupt ("a line does not end");
    return NULL;
  }
  *length = (gsize) (end - line);
  pickle->position += *length + 1;
  return line;
}

/* --- Values ------------------------------------------------------------- */

static SrganPickleValue *
new_value (SrganPickle *pickle, SrganPickleKind kind, GError **error)
{
  SrganPickleValue *value;

  if (pickle->values->len >= MAX_VALUES) {
    corrupt ("holds more than %u values", MAX_VALUES);
    return NULL;
  }
  value = g_new0 (SrganPickleValue, 1);
  value->kind = kind;
  g_ptr_array_add (pickle->values, value);
  return value;
}

static gboolean
push (SrganPickle *pickle, SrganPickleValue *value)
{
  if (value == NULL)
    return FALSE;
  g_ptr_array_add (pickle->stack, value);
  return TRUE;
}

static gboolean
push_new (SrganPickle *pickle, SrganPickleKind kind, GError **error)
{
  return push (pickle, new_value (pickle, kind, error));
}

static gboolean
push_int (SrganPickle *pickle, gint64 integer, GError **error)
{
  SrganPickleValue *value = new_value (pickle, SRGAN_PICKLE_INT, error);

  if (value == NULL)
    return FALSE;
  value->integer = integer;
  value->number = (gdouble) integer;
  return push (pickle, value);
}

static gboolean
push_bool (SrganPickle *pickle, gboolean truth, GError **error)
{
  SrganPickleValue *value = new_value (pickle, SRGAN_PICKLE_BOOL, error);

  if (value == NULL)
    return FALSE;
  value->integer = truth;
  return push (pickle, value);
}

static gboolean
push_float (SrganPickle *pickle, gdouble number, GError **error)
{
  SrganPickleValue *value = new_value (pickle, SRGAN_PICKLE_FLOAT, error);

  if (value == NULL)
    return FALSE;
  value->number = number;
  return push (pickle, value);
}

static gboolean
push_text (
    SrganPickle *pickle, const gchar *text, guint64 length, GError **error)
{
  SrganPickleValue *value;

  if (pickle->n_text + length > MAX_TEXT)
    return corrupt ("holds more than %u bytes of text", MAX_TEXT);
  value = new_value (pickle, SRGAN_PICKLE_TEXT, error);
  if (value == NULL)
    return FALSE;
  pickle->n_text += length;
  value->text = g_malloc (length + 1);
  memcpy (value->text, text, length);
  value->text[length] = '\0';
  value->length = length;
  return push (pickle, value);
}

/* A length of @size bytes, then the text. */
static gboolean
push_counted_text (SrganPickle *pickle, guint size, GError **error)
{
  guint64 length;
  const guint8 *text;

  if (!take_uint (pickle, size, &length, error))
    return FALSE;
  text = take (pickle, length, error);
  return text != NULL &&
         push_text (pickle, (const gchar *) text, length, error);
}

/* Two's complement, little-endian; what does not fit in 64 bits saturates. */
static gboolean
push_long (SrganPickle *pickle, guint size, GError **error)
{
  guint64 length, bits = 0;
  const guint8 *bytes;
  gboolean negative;
  gdouble number = 0.;

  if (!take_uint (pickle, size, &length, error))
    return FALSE;
  bytes = take (pickle, length, error);
  if (bytes == NULL)
    return FALSE;
  if (length > 64)
    return corrupt ("a number of %" G_GUINT64_FORMAT " bytes", length);
  negative = length > 0 && (bytes[length - 1] & 0x80) != 0;
  for (guint64 i = length; i-- > 0;)
    number = number * 256. + bytes[i];
  if (length <= 8) {
    bits = negative ? G_MAXUINT64 : 0;
    for (guint64 i = length; i-- > 0;)
      bits = bits << 8 | bytes[i];
    return push_int (pickle, (gint64) bits, error);
  }
  if (!push_int (pickle, negative ? G_MININT64 : G_MAXINT64, error))
    return FALSE;
  /* the legacy container's magic number has ten bytes */
  ((SrganPickleValue *) g_ptr_array_index (
       pickle->stack, pickle->stack->len - 1))
      ->number = number;
  return TRUE;
}

/* --- The stack ---------------------------------------------------------- */

static SrganPickleValue *
pop (SrganPickle *pickle, GError **error)
{
  SrganPickleValue *value;

  if (pickle->stack->len == 0) {
    corrupt ("takes from an empty stack, at byte %" G_GSIZE_FORMAT,
        pickle->position);
    return NULL;
  }
  value = g_ptr_array_index (pickle->stack, pickle->stack->len - 1);
  g_ptr_array_set_size (pickle->stack, (gint) pickle->stack->len - 1);
  if (value->kind == SRGAN_PICKLE_MARK) {
    corrupt (
        "takes a mark for a value, at byte %" G_GSIZE_FORMAT, pickle->position);
    return NULL;
  }
  return value;
}

static SrganPickleValue *
peek (SrganPickle *pickle, GError **error)
{
  SrganPickleValue *value = pop (pickle, error);

  if (value != NULL)
    g_ptr_array_add (pickle->stack, value);
  return value;
}

/* The position of the last mark. */
static gboolean
find_mark (SrganPickle *pickle, guint *position, GError **error)
{
  for (guint i = pickle->stack->len; i-- > 0;)
    if (((SrganPickleValue *) g_ptr_array_index (pickle->stack, i))->kind ==
        SRGAN_PICKLE_MARK) {
      *position = i;
      return TRUE;
    }
  return corrupt ("lacks a mark, at byte %" G_GSIZE_FORMAT, pickle->position);
}

/* Moves the stack's values from @first on into @container. */
static gboolean
move_items (SrganPickle *pickle, SrganPickleValue *container, guint first,
    GError **error)
{
  guint n = pickle->stack->len - first;

  if (pickle->n_items + n > MAX_ITEMS)
    return corrupt ("holds more than %u items", MAX_ITEMS);
  pickle->n_items += n;
  if (container->items == NULL)
    container->items = g_ptr_array_sized_new (n);
  for (guint i = first; i < pickle->stack->len; i++)
    g_ptr_array_add (container->items, g_ptr_array_index (pickle->stack, i));
  g_ptr_array_set_size (pickle->stack, (gint) first);
  return TRUE;
}

/* A tuple of the last @n values. */
static gboolean
push_tuple (SrganPickle *pickle, guint n, GError **error)
{
  SrganPickleValue *tuple;

  if (pickle->stack->len < n)
    return corrupt ("takes from an empty stack, at byte %" G_GSIZE_FORMAT,
        pickle->position);
  for (guint i = 0; i < n; i++)
    if (((SrganPickleValue *) g_ptr_array_index (
             pickle->stack, pickle->stack->len - 1 - i))
            ->kind == SRGAN_PICKLE_MARK)
      return corrupt ("takes a mark for a value");
  tuple = new_value (pickle, SRGAN_PICKLE_TUPLE, error);
  return tuple != NULL &&
         move_items (pickle, tuple, pickle->stack->len - n, error) &&
         push (pickle, tuple);
}

/* A container of all values after the last mark. */
static gboolean
push_marked (SrganPickle *pickle, SrganPickleKind kind, GError **error)
{
  SrganPickleValue *container;
  guint mark = 0;

  if (!find_mark (pickle, &mark, error))
    return FALSE;
  container = new_value (pickle, kind, error);
  if (container == NULL || !move_items (pickle, container, mark + 1, error))
    return FALSE;
  if (kind == SRGAN_PICKLE_DICT && container->items->len % 2 != 0)
    return corrupt ("a dict lacks a value");
  g_ptr_array_set_size (pickle->stack, (gint) mark);
  return push (pickle, container);
}

static gboolean
can_hold (const SrganPickleValue *container, gboolean pairs)
{
  return container->kind == SRGAN_PICKLE_OBJECT ||
         container->kind == (pairs ? SRGAN_PICKLE_DICT : SRGAN_PICKLE_LIST);
}

/* Puts the values from @first on into the container below them. */
static gboolean
put_items (SrganPickle *pickle, guint first, guint container_at, gboolean pairs,
    GError **error)
{
  SrganPickleValue *container;

  if (container_at >= pickle->stack->len || first > pickle->stack->len)
    return corrupt ("has nothing to put an item into");
  container = g_ptr_array_index (pickle->stack, container_at);
  if (!can_hold (container, pairs))
    return corrupt ("puts an item into what holds none");
  if (pairs && (pickle->stack->len - first) % 2 != 0)
    return corrupt ("a dict lacks a value");
  for (guint i = first; i < pickle->stack->len; i++)
    if (((SrganPickleValue *) g_ptr_array_index (pickle->stack, i))->kind ==
        SRGAN_PICKLE_MARK)
      return corrupt ("takes a mark for a value");
  if (!move_items (pickle, container, first, error))
    return FALSE;
  g_ptr_array_set_size (pickle->stack, (gint) container_at + 1);
  return TRUE;
}

static gboolean
put_marked (SrganPickle *pickle, gboolean pairs, GError **error)
{
  guint mark = 0;

  if (!find_mark (pickle, &mark, error))
    return FALSE;
  if (mark == 0)
    return corrupt ("has nothing to put an item into");
  return put_items (pickle, mark + 1, mark - 1, pairs, error);
}

/* --- Memo --------------------------------------------------------------- */

static gboolean
memorise (SrganPickle *pickle, guint64 number, GError **error)
{
  SrganPickleValue *value = peek (pickle, error);

  if (value == NULL)
    return FALSE;
  if (g_hash_table_size (pickle->memo) >= MAX_VALUES || number > G_MAXUINT32)
    return corrupt ("memorises too much");
  g_hash_table_insert (pickle->memo, GSIZE_TO_POINTER (number), value);
  pickle->next_memo = g_hash_table_size (pickle->memo);
  return TRUE;
}

static gboolean
recall (SrganPickle *pickle, guint64 number, GError **error)
{
  SrganPickleValue *value = NULL;

  if (number <= G_MAXUINT32)
    value = g_hash_table_lookup (pickle->memo, GSIZE_TO_POINTER (number));
  if (value == NULL)
    return corrupt ("recalls number %" G_GUINT64_FORMAT
                    ", which it did not memorise",
        number);
  return push (pickle, value);
}

static gboolean
take_line_uint (SrganPickle *pickle, guint64 *value, GError **error)
{
  g_autofree gchar *text = NULL;
  const gchar *line;
  gsize length;

  line = take_line (pickle, &length, error);
  if (line == NULL)
    return FALSE;
  text = g_strndup (line, MIN (length, 32));
  if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXUINT32, value, NULL))
    return corrupt ("a number is none");
  return TRUE;
}

/* --- Names and calls ---------------------------------------------------- */

static gboolean
is_known (const gchar *const *known, const gchar *name)
{
  for (; *known != NULL; known++)
    if (g_pattern_match_simple (*known, name))
      return TRUE;
  return FALSE;
}

static gboolean
refuse_call (const gchar *name, GError **error)
{
  g_autofree gchar *quoted = srgan_convert_quote (name, -1);

  return srgan_convert_unsupported (error,
      "refused: this pickle asks for %s to be called; nothing was executed. "
      "If you trust its maker, save the bare state dict with PyTorch",
      quoted);
}

static gboolean
push_global (SrganPickle *pickle, const gchar *module, gsize module_length,
    const gchar *name, gsize name_length, GError **error)
{
  g_autofree gchar *full =
      g_strdup_printf ("%.*s.%.*s", (gint) MIN (module_length, 256), module,
          (gint) MIN (name_length, 256), name);
  g_autofree gchar *first = g_strndup (full, strcspn (full, "."));
  SrganPickleValue *value;

  pickle->n_text += strlen (full);
  if (pickle->n_text > MAX_TEXT)
    return corrupt ("holds more than %u bytes of text", MAX_TEXT);
  if (g_strv_contains (foreign_modules, first)) {
    const gchar *last = full + strlen (first) + 1;
    gboolean builtin =
        g_str_equal (first, "builtins") || g_str_equal (first, "__builtin__");

    if (!(builtin && g_strv_contains (harmless_builtins, last)) &&
        !is_known (pickle->callables, full))
      return refuse_call (full, error);
  }
  value = new_value (pickle, SRGAN_PICKLE_GLOBAL, error);
  if (value == NULL)
    return FALSE;
  value->text = g_steal_pointer (&full);
  return push (pickle, value);
}

static gboolean
push_object (SrganPickle *pickle, const SrganPickleValue *callable,
    const SrganPickleValue *arguments, GError **error)
{
  SrganPickleValue *object;

  if (arguments->kind != SRGAN_PICKLE_TUPLE)
    return corrupt ("the arguments of a call are no tuple");
  object = new_value (pickle, SRGAN_PICKLE_OBJECT, error);
  if (object == NULL)
    return FALSE;
  object->callable = callable;
  object->arguments = arguments;
  return push (pickle, object);
}

static gboolean
reduce (SrganPickle *pickle, GError **error)
{
  SrganPickleValue *arguments = pop (pickle, error);
  SrganPickleValue *callable = arguments != NULL ? pop (pickle, error) : NULL;

  if (callable == NULL)
    return FALSE;
  if (callable->kind != SRGAN_PICKLE_GLOBAL)
    return refuse_call ("something that is made on the way", error);
  if (!is_known (pickle->callables, callable->text))
    return refuse_call (callable->text, error);
  return push_object (pickle, callable, arguments, error);
}

/* An instance of a class, without what its constructor would do: a name and,
 * later, its state. */
static gboolean
make_instance (SrganPickle *pickle, gboolean has_keywords, GError **error)
{
  SrganPickleValue *keywords = has_keywords ? pop (pickle, error) : NULL;
  SrganPickleValue *arguments, *class;

  if (has_keywords && keywords == NULL)
    return FALSE;
  arguments = pop (pickle, error);
  class = arguments != NULL ? pop (pickle, error) : NULL;
  if (class == NULL)
    return FALSE;
  if (class->kind != SRGAN_PICKLE_GLOBAL)
    return refuse_call ("something that is made on the way", error);
  /* with arguments it would be a call in all but name */
  if (srgan_pickle_get_n_items (arguments) > 0 &&
      !is_known (pickle->callables, class->text))
    return refuse_call (class->text, error);
  return push_object (pickle, class, arguments, error);
}

static gboolean
build (SrganPickle *pickle, GError **error)
{
  SrganPickleValue *state = pop (pickle, error);
  SrganPickleValue *object = state != NULL ? peek (pickle, error) : NULL;

  if (object == NULL)
    return FALSE;
  if (object->kind == SRGAN_PICKLE_OBJECT)
    object->state = state;
  return TRUE;
}

/* --- The machine -------------------------------------------------------- */

static gboolean
push_line_number (SrganPickle *pickle, guint8 operation, GError **error)
{
  g_autofree gchar *text = NULL;
  const gchar *line;
  gsize length;
  gint64 integer;

  line = take_line (pickle, &length, error);
  if (line == NULL)
    return FALSE;
  text = g_strndup (line, MIN (length, 64));
  if (operation == 'F')
    return push_float (pickle, g_ascii_strtod (text, NULL), error);
  if (operation == 'I' &&
      (g_str_equal (text, "00") || g_str_equal (text, "01")))
    return push_bool (pickle, text[1] == '1', error);
  if (g_str_has_suffix (text, "L"))
    text[strlen (text) - 1] = '\0';
  integer = g_ascii_strtoll (text, NULL, 10);
  if (!push_int (pickle, integer, error))
    return FALSE;
  if (integer == G_MAXINT64 || integer == G_MININT64)
    ((SrganPickleValue *) g_ptr_array_index (
         pickle->stack, pickle->stack->len - 1))
        ->number = g_ascii_strtod (text, NULL);
  return TRUE;
}

/* Protocol 0's text, in quotes for 'S'; its escapes stay as they are. */
static gboolean
push_line_text (SrganPickle *pickle, guint8 operation, GError **error)
{
  const gchar *line;
  gsize length;

  line = take_line (pickle, &length, error);
  if (line == NULL)
    return FALSE;
  if (operation == 'S' && length >= 2) {
    line++;
    length -= 2;
  }
  return push_text (pickle, line, length, error);
}

static gboolean
push_line_global (SrganPickle *pickle, GError **error)
{
  const gchar *module, *name;
  gsize module_length, name_length;

  module = take_line (pickle, &module_length, error);
  if (module == NULL)
    return FALSE;
  name = take_line (pickle, &name_length, error);
  return name != NULL &&
         push_global (pickle, module, module_length, name, name_length, error);
}

static gboolean
push_persistent (SrganPickle *pickle, GError **error)
{
  SrganPickleValue *identity = pop (pickle, error);
  SrganPickleValue *value =
      identity != NULL ? new_value (pickle, SRGAN_PICKLE_PERSISTENT, error)
                       : NULL;

  if (value == NULL)
    return FALSE;
  value->items = g_ptr_array_new ();
  g_ptr_array_add (value->items, identity);
  return push (pickle, value);
}

static gboolean
push_binary_float (SrganPickle *pickle, GError **error)
{
  const guint8 *bytes = take (pickle, 8, error);
  guint64 bits = 0;
  gdouble number;

  if (bytes == NULL)
    return FALSE;
  for (guint i = 0; i < 8; i++)
    bits = bits << 8 | bytes[i];
  memcpy (&number, &bits, sizeof number);
  return push_float (pickle, number, error);
}

static gboolean
push_stack_global (SrganPickle *pickle, GError **error)
{
  SrganPickleValue *name = pop (pickle, error);
  SrganPickleValue *module = name != NULL ? pop (pickle, error) : NULL;

  if (module == NULL)
    return FALSE;
  if (name->kind != SRGAN_PICKLE_TEXT || module->kind != SRGAN_PICKLE_TEXT)
    return corrupt ("a name is no text");
  return push_global (
      pickle, module->text, module->length, name->text, name->length, error);
}

/* INST and OBJ: class and arguments together after a mark. */
static gboolean
make_marked_instance (SrganPickle *pickle, guint8 operation, GError **error)
{
  SrganPickleValue *class = NULL, *arguments;
  guint mark = 0;

  if (operation == 'i') {
    if (!push_line_global (pickle, error))
      return FALSE;
    class = pop (pickle, error);
  } else {
    if (!find_mark (pickle, &mark, error))
      return FALSE;
    if (mark + 1 >= pickle->stack->len)
      return corrupt ("an instance lacks its class");
    class = g_ptr_array_index (pickle->stack, mark + 1);
    g_ptr_array_remove_index (pickle->stack, mark + 1);
  }
  if (!push_marked (pickle, SRGAN_PICKLE_TUPLE, error))
    return FALSE;
  arguments = pop (pickle, error);
  return push (pickle, class) && push (pickle, arguments) &&
         make_instance (pickle, FALSE, error);
}

/* One operation but STOP. */
static gboolean
step (SrganPickle *pickle, guint8 operation, GError **error)
{
  SrganPickleValue *value;
  guint64 number;
  guint mark = 0;

  switch (operation) {
  case 0x80: /* PROTO */
    if (!take_uint (pickle, 1, &number, error))
      return FALSE;
    if (number > 5)
      return srgan_convert_unsupported (error,
          "pickle: protocol %" G_GUINT64_FORMAT " is none of 0 to 5", number);
    return TRUE;
  case 0x95: /* FRAME */
    return take (pickle, 8, error) != NULL;
  case '(':
    return push_new (pickle, SRGAN_PICKLE_MARK, error);
  case '0':
    if (pickle->stack->len == 0)
      return corrupt ("takes from an empty stack");
    g_ptr_array_set_size (pickle->stack, (gint) pickle->stack->len - 1);
    return TRUE;
  case '1':
    if (!find_mark (pickle, &mark, error))
      return FALSE;
    g_ptr_array_set_size (pickle->stack, (gint) mark);
    return TRUE;
  case '2':
    value = peek (pickle, error);
    return push (pickle, value);

  case 'N':
    return push_new (pickle, SRGAN_PICKLE_NONE, error);
  case 0x88:
  case 0x89:
    return push_bool (pickle, operation == 0x88, error);
  case 'F':
  case 'I':
  case 'L':
    return push_line_number (pickle, operation, error);
  case 'J':
    return take_uint (pickle, 4, &number, error) &&
           push_int (pickle, (gint32) number, error);
  case 'K':
    return take_uint (pickle, 1, &number, error) &&
           push_int (pickle, (gint64) number, error);
  case 'M':
    return take_uint (pickle, 2, &number, error) &&
           push_int (pickle, (gint64) number, error);
  case 0x8a:
    return push_long (pickle, 1, error);
  case 0x8b:
    return push_long (pickle, 4, error);
  case 'G':
    return push_binary_float (pickle, error);
  case 'S':
  case 'V':
    return push_line_text (pickle, operation, error);
  case 'U':
  case 'C':
  case 0x8c:
    return push_counted_text (pickle, 1, error);
  case 'T':
  case 'X':
  case 'B':
    return push_counted_text (pickle, 4, error);
  case 0x8d:
  case 0x8e:
  case 0x96:
    return push_counted_text (pickle, 8, error);

  case ')':
    return push_tuple (pickle, 0, error);
  case 0x85:
  case 0x86:
  case 0x87:
    return push_tuple (pickle, operation - 0x84u, error);
  case 't':
  case 0x91: /* FROZENSET */
    return push_marked (pickle, SRGAN_PICKLE_TUPLE, error);
  case ']':
  case 0x8f: /* EMPTY_SET */
    return push_new (pickle, SRGAN_PICKLE_LIST, error);
  case 'l':
    return push_marked (pickle, SRGAN_PICKLE_LIST, error);
  case '}':
    return push_new (pickle, SRGAN_PICKLE_DICT, error);
  case 'd':
    return push_marked (pickle, SRGAN_PICKLE_DICT, error);
  case 'a':
    return pickle->stack->len >= 2
               ? put_items (pickle, pickle->stack->len - 1,
                     pickle->stack->len - 2, FALSE, error)
               : corrupt ("has nothing to put an item into");
  case 's':
    return pickle->stack->len >= 3
               ? put_items (pickle, pickle->stack->len - 2,
                     pickle->stack->len - 3, TRUE, error)
               : corrupt ("has nothing to put an item into");
  case 'e':
  case 0x90: /* ADDITEMS */
    return put_marked (pickle, FALSE, error);
  case 'u':
    return put_marked (pickle, TRUE, error);

  case 'p':
    return take_line_uint (pickle, &number, error) &&
           memorise (pickle, number, error);
  case 'q':
    return take_uint (pickle, 1, &number, error) &&
           memorise (pickle, number, error);
  case 'r':
    return take_uint (pickle, 4, &number, error) &&
           memorise (pickle, number, error);
  case 0x94:
    return memorise (pickle, pickle->next_memo, error);
  case 'g':
    return take_line_uint (pickle, &number, error) &&
           recall (pickle, number, error);
  case 'h':
    return take_uint (pickle, 1, &number, error) &&
           recall (pickle, number, error);
  case 'j':
    return take_uint (pickle, 4, &number, error) &&
           recall (pickle, number, error);

  case 'c':
    return push_line_global (pickle, error);
  case 0x93:
    return push_stack_global (pickle, error);
  case 'R':
    return reduce (pickle, error);
  case 0x81:
    return make_instance (pickle, FALSE, error);
  case 0x92:
    return make_instance (pickle, TRUE, error);
  case 'i':
  case 'o':
    return make_marked_instance (pickle, operation, error);
  case 'b':
    return build (pickle, error);
  case 'P':
    return push_line_text (pickle, operation, error) &&
           push_persistent (pickle, error);
  case 'Q':
    return push_persistent (pickle, error);
  default:
    return corrupt ("operation 0x%02x at byte %" G_GSIZE_FORMAT
                    " is not known (is it a pickle?)",
        operation, pickle->position - 1);
  }
}

SrganPickle *
srgan_pickle_parse (const guint8 *data, gsize size, gsize *used,
    const gchar *const *callables, GError **error)
{
  g_autoptr (SrganPickle) pickle = g_new0 (SrganPickle, 1);

  pickle->values = g_ptr_array_new_with_free_func (free_value);
  pickle->stack = g_ptr_array_new ();
  pickle->memo = g_hash_table_new (NULL, NULL);
  pickle->callables = callables;
  pickle->data = data;
  pickle->size = size;
  for (;;) {
    const guint8 *operation = take (pickle, 1, error);

    if (operation == NULL)
      return NULL;
    if (*operation == '.')
      break;
    if (!step (pickle, *operation, error))
      return NULL;
    if (pickle->stack->len > MAX_VALUES) {
      corrupt ("its stack holds more than %u values", MAX_VALUES);
      return NULL;
    }
  }
  pickle->root = pop (pickle, error);
  if (pickle->root == NULL)
    return NULL;
  if (used != NULL)
    *used = pickle->position;
  return g_steal_pointer (&pickle);
}

/* --- Asking it ---------------------------------------------------------- */

const SrganPickleValue *
srgan_pickle_get_root (const SrganPickle *pickle)
{
  return pickle->root;
}

guint
srgan_pickle_get_n_items (const SrganPickleValue *value)
{
  return value->items != NULL ? value->items->len : 0;
}

const SrganPickleValue *
srgan_pickle_get_item (const SrganPickleValue *value, guint index)
{
  return index < srgan_pickle_get_n_items (value)
             ? g_ptr_array_index (value->items, index)
             : NULL;
}

gboolean
srgan_pickle_is_object_of (const SrganPickleValue *value, const gchar *name)
{
  return value->kind == SRGAN_PICKLE_OBJECT &&
         g_pattern_match_simple (name, value->callable->text);
}

const SrganPickleValue *
srgan_pickle_look_up (const SrganPickleValue *dict, const gchar *key)
{
  if (dict->kind != SRGAN_PICKLE_DICT && dict->kind != SRGAN_PICKLE_OBJECT)
    return NULL;
  for (guint i = 0; i + 1 < srgan_pickle_get_n_items (dict); i += 2) {
    const SrganPickleValue *name = g_ptr_array_index (dict->items, i);

    if (name->kind == SRGAN_PICKLE_TEXT && g_str_equal (name->text, key))
      return g_ptr_array_index (dict->items, i + 1);
  }
  return NULL;
}

/* convert: shaders: the text of a pass as a syntax tree: the part of GLSL that
 * networks are written in (The OpenGL Shading Language 4.60), with its
 * preprocessor.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/shader.h"

#include <stdlib.h>
#include <string.h>

#define MAX_MACROS 4000
#define MAX_PARAMETERS 32
#define MAX_EXPANSION 40

typedef enum { TOKEN_END, TOKEN_NAME, TOKEN_NUMBER, TOKEN_SIGN } TokenKind;

typedef struct {
  TokenKind kind;
  gboolean is_integer;
  gint sign; /* a character, or SRGAN_SHADER_LESS_EQUAL and so on, or: */
  guint line;
  const gchar *name;
  gdouble number;
} Token;

/* Signs of more than one character, the longest first. */
enum { PLUS_PLUS = 300, MINUS_MINUS, ASSIGN_FIRST = 512 };

typedef struct {
  const gchar *name;
  gint n_parameters; /* -1: no parentheses */
  const gchar *parameters[MAX_PARAMETERS];
  GArray *tokens;
  gboolean open; /* being expanded */
} Macro;

typedef struct {
  SrganSyntaxMemory *memory;
  GHashTable *macros; /* name -> Macro */
  GArray *tokens;     /* of Token, after the preprocessor */
  guint at;
  guint depth;
  guint n_expanded;
  GError **error;
} Parser;

static void
free_macro (gpointer data)
{
  Macro *macro = data;

  g_array_unref (macro->tokens);
  g_free (macro);
}

void
srgan_shader_refuse (
    GError **error, guint line, const gchar *format, va_list arguments)
{
  g_autofree gchar *text = g_strdup_vprintf (format, arguments);

  if (error != NULL && *error == NULL)
    srgan_convert_unsupported (error, "line %u: %s", line, text);
}

G_GNUC_PRINTF (3, 4)
static gboolean
fail (Parser *self, guint line, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  srgan_shader_refuse (self->error, line, format, arguments);
  va_end (arguments);
  return FALSE;
}

static const gchar *
intern (Parser *self, const gchar *text, gsize length)
{
  g_autofree gchar *name = g_strndup (text, length);

  return g_string_chunk_insert_const (self->memory->names, name);
}

/* --- Tokens -------------------------------------------------------------- */

static const struct {
  const gchar *text;
  gint sign;
} signs[] = {
    {"<<=", ASSIGN_FIRST + SRGAN_SHADER_LEFT},
    {">>=", ASSIGN_FIRST + SRGAN_SHADER_RIGHT},
    {"++", PLUS_PLUS},
    {"--", MINUS_MINUS},
    {"<=", SRGAN_SHADER_LESS_EQUAL},
    {">=", SRGAN_SHADER_GREATER_EQUAL},
    {"==", SRGAN_SHADER_EQUAL},
    {"!=", SRGAN_SHADER_UNEQUAL},
    {"&&", SRGAN_SHADER_AND},
    {"||", SRGAN_SHADER_OR},
    {"<<", SRGAN_SHADER_LEFT},
    {">>", SRGAN_SHADER_RIGHT},
    {"+=", ASSIGN_FIRST + '+'},
    {"-=", ASSIGN_FIRST + '-'},
    {"*=", ASSIGN_FIRST + '*'},
    {"/=", ASSIGN_FIRST + '/'},
    {"%=", ASSIGN_FIRST + '%'},
    {"&=", ASSIGN_FIRST + '&'},
    {"|=", ASSIGN_FIRST + '|'},
    {"^=", ASSIGN_FIRST + '^'},
};

/* A number as GLSL writes it; @end: behind it. */
static void
read_number (
    const gchar *text, const gchar *stop, const gchar **end, Token *token)
{
  gchar digits[64];
  gsize n = 0;
  const gchar *c = text;
  gboolean hexadecimal =
      stop - text > 2 && text[0] == '0' && (text[1] == 'x' || text[1] == 'X');

  token->kind = TOKEN_NUMBER;
  token->is_integer = TRUE;
  while (c < stop && n + 1 < sizeof digits &&
         (g_ascii_isalnum (*c) || *c == '.' ||
             ((*c == '+' || *c == '-') && !hexadecimal && n > 0 &&
                 (c[-1] == 'e' || c[-1] == 'E')))) {
    if (!hexadecimal && (*c == '.' || *c == 'e' || *c == 'E'))
      token->is_integer = FALSE;
    digits[n++] = *c++;
  }
  /* digits beyond what fits change nothing */
  while (c < stop && g_ascii_isdigit (*c))
    c++;
  digits[n] = '\0';
  if (!hexadecimal && n > 0 && (digits[n - 1] == 'f' || digits[n - 1] == 'F'))
    token->is_integer = FALSE;
  token->number = hexadecimal
                      ? (gdouble) g_ascii_strtoull (digits + 2, NULL, 16)
                      : g_ascii_strtod (digits, NULL);
  *end = c;
}

/* Appends the tokens of a line to @tokens. */
static gboolean
read_tokens (Parser *self, const gchar *text, const gchar *stop, guint line,
    GArray *tokens)
{
  while (text < stop) {
    Token token = {.line = line};

    if (g_ascii_isspace (*text)) {
      text++;
      continue;
    }
    if (g_ascii_isalpha (*text) || *text == '_') {
      const gchar *start = text;

      while (text < stop && (g_ascii_isalnum (*text) || *text == '_'))
        text++;
      token.kind = TOKEN_NAME;
      token.name = intern (self, start, (gsize) (text - start));
    } else if (g_ascii_isdigit (*text) ||
               (*text == '.' && text + 1 < stop && g_ascii_isdigit (text[1]))) {
      read_number (text, stop, &text, &token);
    } else {
      token.kind = TOKEN_SIGN;
      for (guint i = 0; i < G_N_ELEMENTS (signs) && token.sign == 0; i++) {
        gsize n = strlen (signs[i].text);

        if ((gsize) (stop - text) >= n &&
            memcmp (text, signs[i].text, n) == 0) {
          token.sign = signs[i].sign;
          text += n;
        }
      }
      if (token.sign == 0) {
        if (strchr ("+-*/%<>=!&|^~?:;,.()[]{}", *text) == NULL || *text == 0)
          return fail (self, line, "a character that GLSL does not have");
        token.sign = *text++;
      }
    }
    g_array_append_val (tokens, token);
    if (tokens->len > SRGAN_SHADER_MAX_TOKENS)
      return fail (self, line, "it is larger than any shader of a network");
  }
  return TRUE;
}

static gboolean
is_sign (const Token *token, gint sign)
{
  return token->kind == TOKEN_SIGN && token->sign == sign;
}

/* --- The preprocessor ---------------------------------------------------- */

/* Appends @n tokens to the output, macros put in place of their names. */
static gboolean
expand (Parser *self, const Token *tokens, guint n, GArray *output, guint depth)
{
  for (guint i = 0; i < n; i++) {
    const Token *token = &tokens[i];
    Macro *macro = token->kind == TOKEN_NAME
                       ? g_hash_table_lookup (self->macros, token->name)
                       : NULL;
    g_autoptr (GArray) body = NULL;
    guint starts[MAX_PARAMETERS + 1];
    guint n_arguments = 0, level = 1, j;
    gboolean done;

    if (++self->n_expanded > 4 * SRGAN_SHADER_MAX_TOKENS ||
        output->len > SRGAN_SHADER_MAX_TOKENS)
      return fail (self, token->line, "its macros grow beyond all bounds");
    if (macro == NULL || macro->open ||
        (macro->n_parameters >= 0 &&
            (i + 1 == n || !is_sign (&tokens[i + 1], '(')))) {
      g_array_append_val (output, *token);
      continue;
    }
    if (depth > MAX_EXPANSION)
      return fail (self, token->line, "macros within macros without end");
    body = g_array_new (FALSE, FALSE, sizeof (Token));
    if (macro->n_parameters >= 0) {
      starts[0] = i + 2;
      for (j = i + 2; j < n && level > 0; j++) {
        if (is_sign (&tokens[j], '(') || is_sign (&tokens[j], '[')) {
          level++;
        } else if (is_sign (&tokens[j], ')') || is_sign (&tokens[j], ']')) {
          level--;
        } else if (is_sign (&tokens[j], ',') && level == 1) {
          if (++n_arguments >= MAX_PARAMETERS)
            break;
          starts[n_arguments] = j + 1;
        }
      }
      if (level > 0)
        return fail (self, token->line, "the arguments of '%.40s' do not end",
            token->name);
      n_arguments++;
      starts[n_arguments] = j;
      if (macro->n_parameters > 0 && (gint) n_arguments != macro->n_parameters)
        return fail (self, token->line, "'%.40s' takes %d arguments",
            token->name, macro->n_parameters);
      i = j - 1;
    }
    for (guint k = 0; k < macro->tokens->len; k++) {
      Token part = g_array_index (macro->tokens, Token, k);
      gint parameter = -1;

      part.line = token->line;
      for (gint p = 0; p < macro->n_parameters && part.kind == TOKEN_NAME; p++)
        if (macro->parameters[p] == part.name)
          parameter = p;
      if (parameter < 0)
        g_array_append_val (body, part);
      else if (!expand (self, tokens + starts[parameter],
                   starts[parameter + 1] - 1 - starts[parameter], body,
                   depth + 1))
        return FALSE;
      if (body->len > SRGAN_SHADER_MAX_TOKENS)
        return fail (self, token->line, "its macros grow beyond all bounds");
    }
    macro->open = TRUE;
    done =
        expand (self, (const Token *) body->data, body->len, output, depth + 1);
    macro->open = FALSE;
    if (!done)
      return FALSE;
  }
  return TRUE;
}

static gboolean
define (Parser *self, const Token *tokens, guint n, guint line, gboolean joined)
{
  Macro *macro;
  guint i = 1;

  if (n == 0 || tokens[0].kind != TOKEN_NAME)
    return fail (self, line, "#define without a name");
  if (g_hash_table_size (self->macros) >= MAX_MACROS)
    return fail (self, line, "more macros than any shader has");
  macro = g_new0 (Macro, 1);
  macro->name = tokens[0].name;
  macro->n_parameters = -1;
  macro->tokens = g_array_new (FALSE, FALSE, sizeof (Token));
  g_hash_table_replace (self->macros, (gpointer) macro->name, macro);
  if (joined) {
    macro->n_parameters = 0;
    for (i = 2; i < n && !is_sign (&tokens[i], ')'); i++) {
      if (is_sign (&tokens[i], ','))
        continue;
      if (tokens[i].kind != TOKEN_NAME || macro->n_parameters == MAX_PARAMETERS)
        return fail (self, line, "#define '%.40s': parameters", macro->name);
      macro->parameters[macro->n_parameters++] = tokens[i].name;
    }
    i++;
  }
  if (i < n)
    g_array_append_vals (macro->tokens, tokens + i, n - i);
  return TRUE;
}

/* #if: a number, defined (NAME), ! and && between them. */
static gboolean
test_condition (
    Parser *self, const Token *tokens, guint n, guint line, gboolean *result)
{
  *result = TRUE;
  for (guint i = 0; i < n; i++) {
    gboolean negated = FALSE, value;

    while (i < n && is_sign (&tokens[i], '!')) {
      negated = !negated;
      i++;
    }
    if (i < n && tokens[i].kind == TOKEN_NAME &&
        strcmp (tokens[i].name, "defined") == 0) {
      gboolean in_parentheses = i + 1 < n && is_sign (&tokens[i + 1], '(');

      i += in_parentheses ? 2 : 1;
      if (i >= n || tokens[i].kind != TOKEN_NAME)
        return fail (self, line, "#if: defined without a name");
      value = g_hash_table_contains (self->macros, tokens[i].name);
      if (in_parentheses)
        i++;
    } else {
      g_autoptr (GArray) one = g_array_new (FALSE, FALSE, sizeof (Token));

      if (i >= n || !expand (self, tokens + i, 1, one, 0))
        return fail (self, line, "#if: a condition that is not understood");
      if (one->len != 1 || g_array_index (one, Token, 0).kind != TOKEN_NUMBER)
        return fail (self, line, "#if: a condition that is not understood");
      value = g_array_index (one, Token, 0).number != 0.;
    }
    *result = *result && value != negated;
    if (++i < n && !is_sign (&tokens[i], SRGAN_SHADER_AND))
      return fail (self, line, "#if: a condition that is not understood");
  }
  return TRUE;
}

typedef struct {
  gboolean active; /* lines count */
  gboolean taken;  /* some branch did */
  gboolean outer;  /* whether lines around it count */
} Branch;

static gboolean
preprocess_directive (Parser *self, const gchar *text, const gchar *stop,
    guint line, GArray *branches)
{
  g_autoptr (GArray) tokens = g_array_new (FALSE, FALSE, sizeof (Token));
  Branch *top = branches->len > 0
                    ? &g_array_index (branches, Branch, branches->len - 1)
                    : NULL;
  gboolean active = top == NULL || top->active;
  const gchar *word;
  const Token *rest;
  guint n;

  if (!read_tokens (self, text, stop, line, tokens))
    return FALSE;
  if (tokens->len == 0)
    return TRUE;
  word = g_array_index (tokens, Token, 0).name;
  rest = &g_array_index (tokens, Token, 0) + 1;
  n = tokens->len - 1;
  if (word == NULL)
    return fail (self, line, "a directive without a name");
  if (g_str_has_prefix (word, "if")) {
    Branch branch = {.outer = active};

    if (strcmp (word, "if") == 0) {
      if (active && !test_condition (self, rest, n, line, &branch.active))
        return FALSE;
    } else {
      if (n == 0 || rest[0].kind != TOKEN_NAME)
        return fail (self, line, "#%.10s without a name", word);
      branch.active = g_hash_table_contains (self->macros, rest[0].name) ==
                      (strcmp (word, "ifdef") == 0);
    }
    branch.active = branch.active && active;
    branch.taken = branch.active;
    if (branches->len >= SRGAN_SHADER_MAX_DEPTH)
      return fail (self, line, "#if within #if without end");
    g_array_append_val (branches, branch);
  } else if (strcmp (word, "else") == 0 || strcmp (word, "elif") == 0) {
    gboolean condition = TRUE;

    if (top == NULL)
      return fail (self, line, "#%.10s without #if", word);
    if (strcmp (word, "elif") == 0 && top->outer && !top->taken &&
        !test_condition (self, rest, n, line, &condition))
      return FALSE;
    top->active = top->outer && !top->taken && condition;
    top->taken = top->taken || top->active;
  } else if (strcmp (word, "endif") == 0) {
    if (top == NULL)
      return fail (self, line, "#endif without #if");
    g_array_set_size (branches, branches->len - 1);
  } else if (!active) {
    /* skipped */
  } else if (strcmp (word, "define") == 0) {
    const gchar *name = n > 0 ? rest[0].name : NULL;
    const gchar *found = name != NULL ? strstr (text, name) : NULL;
    const gchar *after = found != NULL ? found + strlen (name) : stop;

    return define (self, rest, n, line, after < stop && *after == '(');
  } else if (strcmp (word, "undef") == 0) {
    if (n > 0 && rest[0].name != NULL)
      g_hash_table_remove (self->macros, rest[0].name);
  } else if (strcmp (word, "extension") != 0 && strcmp (word, "pragma") != 0 &&
             strcmp (word, "version") != 0 && strcmp (word, "line") != 0) {
    return fail (self, line, "#%.20s is not supported", word);
  }
  return TRUE;
}

/* Replaces comments by spaces and joins continued lines, in place; newlines
 * stay. */
static void
blank_comments (gchar *text)
{
  for (gchar *c = text; *c != '\0'; c++) {
    if (c[0] == '\\' && (c[1] == '\n' || (c[1] == '\r' && c[2] == '\n'))) {
      /* a line's number is only for messages */
      memset (c, ' ', c[1] == '\n' ? 2 : 3);
    } else if (c[0] == '/' && c[1] == '/') {
      while (*c != '\0' && *c != '\n')
        *c++ = ' ';
      if (*c == '\0')
        break;
    } else if (c[0] == '/' && c[1] == '*') {
      gchar *end = strstr (c + 2, "*/");

      if (end == NULL)
        end = c + strlen (c) - 2;
      for (; c < end + 2; c++)
        if (*c != '\n')
          *c = ' ';
      c--;
    }
  }
}

static gboolean
preprocess (Parser *self, const gchar *source, gsize length, guint line)
{
  g_autofree gchar *copy = g_strndup (source, length);
  g_autoptr (GArray) lines = g_array_new (FALSE, FALSE, sizeof (Token));
  g_autoptr (GArray) branches = g_array_new (FALSE, FALSE, sizeof (Branch));
  gchar *text = copy;
  Token end = {.kind = TOKEN_END};

  blank_comments (copy);
  for (; *text != '\0'; line++) {
    gchar *stop = strchr (text, '\n');
    gchar *next = stop != NULL ? stop + 1 : text + strlen (text);

    if (stop == NULL)
      stop = next;
    else
      *stop = '\0';
    while (g_ascii_isspace (*text))
      text++;
    if (*text == '#') {
      /* what came before knows the macros until here */
      if (!expand (
              self, (const Token *) lines->data, lines->len, self->tokens, 0))
        return FALSE;
      g_array_set_size (lines, 0);
      if (!preprocess_directive (self, text + 1, stop, line, branches))
        return FALSE;
    } else if (branches->len == 0 ||
               g_array_index (branches, Branch, branches->len - 1).active) {
      if (!read_tokens (self, text, stop, line, lines))
        return FALSE;
    }
    text = next;
  }
  if (branches->len > 0)
    return fail (self, line, "#if without #endif");
  if (!expand (self, (const Token *) lines->data, lines->len, self->tokens, 0))
    return FALSE;
  end.line = line;
  g_array_append_val (self->tokens, end);
  return TRUE;
}

/* --- Expressions --------------------------------------------------------- */

static const Token *
peek (Parser *self, guint ahead)
{
  return &g_array_index (
      self->tokens, Token, MIN (self->at + ahead, self->tokens->len - 1));
}

static gboolean
accept (Parser *self, gint sign)
{
  if (!is_sign (peek (self, 0), sign))
    return FALSE;
  self->at++;
  return TRUE;
}

static gboolean
expect (Parser *self, gint sign)
{
  return accept (self, sign) ||
         fail (self, peek (self, 0)->line, "'%c' is missing", sign);
}

static gboolean
accept_word (Parser *self, const gchar *word)
{
  const Token *token = peek (self, 0);

  if (token->kind != TOKEN_NAME || strcmp (token->name, word) != 0)
    return FALSE;
  self->at++;
  return TRUE;
}

static SrganSyntax *
new_syntax (Parser *self, SrganSyntaxKind kind)
{
  SrganSyntax *syntax =
      srgan_arena_alloc (&self->memory->arena, sizeof *syntax);

  syntax->kind = kind;
  syntax->line = peek (self, 0)->line;
  return syntax;
}

/* One more level, which leave() ends: text may be deeper than our stack. */
static gboolean
enter (Parser *self)
{
  if (self->memory->arena.total > SRGAN_SHADER_MAX_BYTES)
    return fail (self, peek (self, 0)->line, "it is larger than any shader");
  if (++self->depth > SRGAN_SHADER_MAX_DEPTH)
    return fail (self, peek (self, 0)->line, "it is nested too deeply");
  return TRUE;
}

static void
leave (Parser *self)
{
  self->depth--;
}

/* A name of numbers' types: vec4, f16mat4, uint16_t ... */
static gboolean
find_type (const gchar *name, SrganShaderType *type)
{
  static const gchar *const integers[] = {
      "int", "uint", "int16_t", "uint16_t", "int32_t", "uint32_t"};
  static const gchar *const floats[] = {
      "float", "float16_t", "float32_t", "double"};
  static const struct {
    const gchar *prefix;
    SrganShaderBase base;
  } prefixes[] = {{"f16", SRGAN_SHADER_FLOAT}, {"f32", SRGAN_SHADER_FLOAT},
      {"i16", SRGAN_SHADER_INTEGER}, {"u16", SRGAN_SHADER_INTEGER},
      {"d", SRGAN_SHADER_FLOAT}, {"i", SRGAN_SHADER_INTEGER},
      {"u", SRGAN_SHADER_INTEGER}, {"b", SRGAN_SHADER_BOOLEAN},
      {"", SRGAN_SHADER_FLOAT}};

  *type = (SrganShaderType){SRGAN_SHADER_FLOAT, 1, 1};
  if (strcmp (name, "void") == 0) {
    type->base = SRGAN_SHADER_VOID;
    return TRUE;
  }
  if (strcmp (name, "bool") == 0) {
    type->base = SRGAN_SHADER_BOOLEAN;
    return TRUE;
  }
  for (guint i = 0; i < G_N_ELEMENTS (floats); i++)
    if (strcmp (name, floats[i]) == 0)
      return TRUE;
  for (guint i = 0; i < G_N_ELEMENTS (integers); i++)
    if (strcmp (name, integers[i]) == 0) {
      type->base = SRGAN_SHADER_INTEGER;
      return TRUE;
    }
  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++) {
    const gchar *rest = name;

    if (!g_str_has_prefix (name, prefixes[i].prefix))
      continue;
    rest += strlen (prefixes[i].prefix);
    type->base = prefixes[i].base;
    if (strlen (rest) == 4 && memcmp (rest, "vec", 3) == 0 && rest[3] >= '2' &&
        rest[3] <= '4') {
      type->rows = (guint) (rest[3] - '0');
      return TRUE;
    }
    if (g_str_has_prefix (rest, "mat") && rest[3] >= '2' && rest[3] <= '4') {
      type->columns = type->rows = (guint) (rest[3] - '0');
      if (rest[4] == '\0')
        return TRUE;
      if (rest[4] == 'x' && rest[5] >= '2' && rest[5] <= '4' &&
          rest[6] == '\0') {
        type->rows = (guint) (rest[5] - '0');
        return TRUE;
      }
    }
  }
  return FALSE;
}

static SrganSyntax *parse_expression (Parser *self);
static SrganSyntax *parse_assignment (Parser *self);

/* What stands between commas up to @end, which is taken, too; FALSE on
 * error. */
static gboolean
parse_list (Parser *self, gint end, SrganSyntax **first)
{
  SrganSyntax **last = first;

  *first = NULL;
  while (!accept (self, end)) {
    *last = parse_assignment (self);
    if (*last == NULL)
      return FALSE;
    last = &(*last)->next;
    if (!accept (self, ',')) {
      if (!expect (self, end))
        return FALSE;
      break;
    }
  }
  return TRUE;
}

static SrganSyntax *
parse_primary (Parser *self)
{
  const Token *token = peek (self, 0);
  SrganSyntax *syntax;
  gboolean typed;
  SrganShaderType type;

  if (token->kind == TOKEN_NUMBER) {
    syntax = new_syntax (self, SRGAN_SYNTAX_NUMBER);
    syntax->number = token->number;
    syntax->is_integer = token->is_integer;
    self->at++;
    return syntax;
  }
  if (accept (self, '(')) {
    syntax = parse_expression (self);
    return syntax != NULL && expect (self, ')') ? syntax : NULL;
  }
  if (is_sign (token, '{')) {
    syntax = new_syntax (self, SRGAN_SYNTAX_LIST);
    self->at++;
    return parse_list (self, '}', &syntax->first) ? syntax : NULL;
  }
  if (token->kind != TOKEN_NAME) {
    fail (self, token->line, "an expression is missing");
    return NULL;
  }
  typed = find_type (token->name, &type);
  syntax = new_syntax (self, SRGAN_SYNTAX_NAME);
  syntax->name = token->name;
  syntax->type = type;
  syntax->is_type = typed;
  self->at++;
  /* type[](...) and type[n](...) */
  if (typed && accept (self, '[')) {
    syntax->is_array = TRUE;
    if (!accept (self, ']') &&
        (parse_expression (self) == NULL || !expect (self, ']')))
      return NULL;
  }
  if (accept (self, '(')) {
    syntax->kind = SRGAN_SYNTAX_CALL;
    return parse_list (self, ')', &syntax->first) ? syntax : NULL;
  }
  if (typed) {
    fail (self, token->line, "'%.40s' does not belong here", token->name);
    return NULL;
  }
  return syntax;
}

static SrganSyntax *
parse_postfix (Parser *self)
{
  SrganSyntax *left = parse_primary (self);
  guint n = 0;

  while (left != NULL) {
    SrganSyntax *syntax;

    if (is_sign (peek (self, 0), '[')) {
      syntax = new_syntax (self, SRGAN_SYNTAX_INDEX);
      self->at++;
      syntax->second = parse_expression (self);
      if (syntax->second == NULL || !expect (self, ']'))
        return NULL;
    } else if (is_sign (peek (self, 0), '.')) {
      syntax = new_syntax (self, SRGAN_SYNTAX_MEMBER);
      self->at++;
      syntax->name = peek (self, 0)->name;
      if (syntax->name == NULL) {
        fail (self, syntax->line, "a component is missing behind '.'");
        return NULL;
      }
      self->at++;
    } else if (is_sign (peek (self, 0), PLUS_PLUS) ||
               is_sign (peek (self, 0), MINUS_MINUS)) {
      syntax = new_syntax (self, SRGAN_SYNTAX_STEP);
      syntax->operation = is_sign (peek (self, 0), PLUS_PLUS) ? '+' : '-';
      self->at++;
    } else {
      break;
    }
    if (++n > SRGAN_SHADER_MAX_DEPTH) {
      fail (self, syntax->line, "it is nested too deeply");
      return NULL;
    }
    syntax->first = left;
    left = syntax;
  }
  return left;
}

static SrganSyntax *
parse_unary (Parser *self)
{
  const Token *token = peek (self, 0);
  SrganSyntax *syntax = NULL;

  if (!enter (self))
    return NULL;
  if (token->kind == TOKEN_SIGN &&
      (token->sign == '-' || token->sign == '+' || token->sign == '!' ||
          token->sign == '~')) {
    syntax = new_syntax (self, SRGAN_SYNTAX_UNARY);
    syntax->operation = token->sign;
  } else if (is_sign (token, PLUS_PLUS) || is_sign (token, MINUS_MINUS)) {
    syntax = new_syntax (self, SRGAN_SYNTAX_STEP);
    syntax->operation = is_sign (token, PLUS_PLUS) ? '+' : '-';
    syntax->is_prefix = TRUE;
  }
  if (syntax != NULL) {
    self->at++;
    syntax->first = parse_unary (self);
    if (syntax->first == NULL)
      syntax = NULL;
  } else {
    syntax = parse_postfix (self);
  }
  leave (self);
  return syntax;
}

/* How tightly a sign binds; 0: it is none of two sides. */
static guint
get_precedence (const Token *token)
{
  if (token->kind != TOKEN_SIGN)
    return 0;
  switch (token->sign) {
  case '*':
  case '/':
  case '%':
    return 10;
  case '+':
  case '-':
    return 9;
  case SRGAN_SHADER_LEFT:
  case SRGAN_SHADER_RIGHT:
    return 8;
  case '<':
  case '>':
  case SRGAN_SHADER_LESS_EQUAL:
  case SRGAN_SHADER_GREATER_EQUAL:
    return 7;
  case SRGAN_SHADER_EQUAL:
  case SRGAN_SHADER_UNEQUAL:
    return 6;
  case '&':
    return 5;
  case '^':
    return 4;
  case '|':
    return 3;
  case SRGAN_SHADER_AND:
    return 2;
  case SRGAN_SHADER_OR:
    return 1;
  default:
    return 0;
  }
}

static SrganSyntax *
parse_binary (Parser *self, guint least)
{
  SrganSyntax *left = parse_unary (self);
  guint n = 0;

  while (left != NULL) {
    guint precedence = get_precedence (peek (self, 0));
    SrganSyntax *syntax;

    if (precedence < least || precedence == 0)
      break;
    /* a long row is as deep as one of parentheses, when it is worked out */
    if (++n > 4 * SRGAN_SHADER_MAX_DEPTH) {
      fail (self, left->line, "it is nested too deeply");
      return NULL;
    }
    syntax = new_syntax (self, SRGAN_SYNTAX_BINARY);
    syntax->operation = peek (self, 0)->sign;
    self->at++;
    syntax->first = left;
    syntax->second = parse_binary (self, precedence + 1);
    left = syntax->second != NULL ? syntax : NULL;
  }
  return left;
}

static SrganSyntax *
parse_assignment (Parser *self)
{
  SrganSyntax *left, *syntax;
  const Token *token;

  if (!enter (self))
    return NULL;
  left = parse_binary (self, 1);
  token = peek (self, 0);
  if (left == NULL || token->kind != TOKEN_SIGN) {
    /* nothing follows */
  } else if (token->sign == '?') {
    syntax = new_syntax (self, SRGAN_SYNTAX_CONDITION);
    self->at++;
    syntax->first = left;
    syntax->second = parse_assignment (self);
    if (syntax->second != NULL && expect (self, ':'))
      syntax->third = parse_assignment (self);
    left = syntax->third != NULL ? syntax : NULL;
  } else if (token->sign == '=' || token->sign >= ASSIGN_FIRST) {
    syntax = new_syntax (self, SRGAN_SYNTAX_ASSIGN);
    syntax->operation = token->sign == '=' ? 0 : token->sign - ASSIGN_FIRST;
    self->at++;
    syntax->first = left;
    syntax->second = parse_assignment (self);
    left = syntax->second != NULL ? syntax : NULL;
  }
  leave (self);
  return left;
}

static SrganSyntax *
parse_expression (Parser *self)
{
  SrganSyntax *first = parse_assignment (self), *last = first;

  /* with commas: all are worked out, the last counts */
  if (first == NULL || !is_sign (peek (self, 0), ','))
    return first;
  fail (self, last->line, "expressions with commas are not supported");
  return NULL;
}

/* --- Statements ---------------------------------------------------------- */

/* Whether a declaration begins here. */
static gboolean
at_declaration (Parser *self)
{
  static const gchar *const qualifiers[] = {
      "const", "shared", "highp", "mediump", "lowp", "precise", "flat", "in"};
  const Token *token = peek (self, 0);
  SrganShaderType type;

  if (token->kind != TOKEN_NAME)
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (qualifiers); i++)
    if (strcmp (token->name, qualifiers[i]) == 0)
      return TRUE;
  return find_type (token->name, &type) &&
         (peek (self, 1)->kind == TOKEN_NAME ||
             (is_sign (peek (self, 1), '[') && !is_sign (peek (self, 2), ']')
                     ? is_sign (peek (self, 3), ']') &&
                           peek (self, 4)->kind == TOKEN_NAME
                     : is_sign (peek (self, 1), '[') &&
                           peek (self, 3)->kind == TOKEN_NAME));
}

/* [size]..., into @sizes; an empty one is a number of -1. */
static gboolean
parse_sizes (Parser *self, SrganSyntax *declaration)
{
  SrganSyntax **last = &declaration->first;

  while (*last != NULL)
    last = &(*last)->next;
  while (accept (self, '[')) {
    declaration->is_array = TRUE;
    if (accept (self, ']')) {
      *last = new_syntax (self, SRGAN_SYNTAX_NUMBER);
      (*last)->number = -1.;
      (*last)->is_integer = TRUE;
    } else {
      *last = parse_assignment (self);
      if (*last == NULL || !expect (self, ']'))
        return FALSE;
    }
    last = &(*last)->next;
  }
  return TRUE;
}

/* Qualifiers and a type. */
static gboolean
parse_type (Parser *self, SrganSyntax *declaration)
{
  static const gchar *const ignored[] = {
      "const", "highp", "mediump", "lowp", "precise", "flat", "in"};

  for (;;) {
    gboolean found = FALSE;

    if (accept_word (self, "shared"))
      declaration->is_shared = found = TRUE;
    for (guint i = 0; i < G_N_ELEMENTS (ignored) && !found; i++)
      found = accept_word (self, ignored[i]);
    if (!found)
      break;
  }
  if (peek (self, 0)->kind != TOKEN_NAME ||
      !find_type (peek (self, 0)->name, &declaration->type))
    return fail (self, peek (self, 0)->line, "a type that is not supported");
  self->at++;
  return parse_sizes (self, declaration);
}

static gboolean
parse_name (Parser *self, SrganSyntax *declaration)
{
  if (peek (self, 0)->kind != TOKEN_NAME)
    return fail (self, peek (self, 0)->line, "a name is missing");
  declaration->name = peek (self, 0)->name;
  self->at++;
  return TRUE;
}

/* Everything after a declaration's first name, up to ';'. */
static gboolean
parse_declared (Parser *self, SrganSyntax *declaration)
{
  SrganSyntax *more = declaration;

  for (;;) {
    if (!parse_sizes (self, more))
      return FALSE;
    if (accept (self, '=')) {
      more->second = parse_assignment (self);
      if (more->second == NULL)
        return FALSE;
    }
    if (!accept (self, ','))
      return expect (self, ';');
    more->third = new_syntax (self, SRGAN_SYNTAX_DECLARE);
    more->third->type = declaration->type;
    more->third->is_shared = declaration->is_shared;
    more = more->third;
    if (!parse_name (self, more))
      return FALSE;
  }
}

static SrganSyntax *parse_statement (Parser *self);

static SrganSyntax *
parse_block (Parser *self)
{
  SrganSyntax *block = new_syntax (self, SRGAN_SYNTAX_BLOCK);
  SrganSyntax **last = &block->first;

  if (!expect (self, '{'))
    return NULL;
  while (!accept (self, '}')) {
    if (peek (self, 0)->kind == TOKEN_END) {
      fail (self, block->line, "a '{' without its '}'");
      return NULL;
    }
    *last = parse_statement (self);
    if (*last == NULL)
      return NULL;
    last = &(*last)->next;
  }
  return block;
}

static SrganSyntax *
parse_declaration (Parser *self)
{
  SrganSyntax *declaration = new_syntax (self, SRGAN_SYNTAX_DECLARE);

  return parse_type (self, declaration) && parse_name (self, declaration) &&
                 parse_declared (self, declaration)
             ? declaration
             : NULL;
}

/* An expression and ';'. */
static SrganSyntax *
parse_simple (Parser *self)
{
  SrganSyntax *statement = new_syntax (self, SRGAN_SYNTAX_EXPRESSION);

  if (accept (self, ';')) {
    statement->kind = SRGAN_SYNTAX_BLOCK;
    return statement;
  }
  statement->first = parse_expression (self);
  return statement->first != NULL && expect (self, ';') ? statement : NULL;
}

static SrganSyntax *
parse_loop (Parser *self, gboolean is_for)
{
  SrganSyntax *loop = new_syntax (self, SRGAN_SYNTAX_LOOP);

  if (!expect (self, '('))
    return NULL;
  if (is_for) {
    loop->first =
        at_declaration (self) ? parse_declaration (self) : parse_simple (self);
    if (loop->first == NULL)
      return NULL;
  }
  if (!(is_for && accept (self, ';'))) {
    loop->second = parse_expression (self);
    if (loop->second == NULL || (is_for && !expect (self, ';')))
      return NULL;
  }
  if (is_for && !is_sign (peek (self, 0), ')')) {
    loop->third = parse_expression (self);
    if (loop->third == NULL)
      return NULL;
  }
  if (!expect (self, ')'))
    return NULL;
  loop->body = parse_statement (self);
  return loop->body != NULL ? loop : NULL;
}

static SrganSyntax *
parse_if (Parser *self)
{
  SrganSyntax *statement = new_syntax (self, SRGAN_SYNTAX_IF);

  if (!expect (self, '('))
    return NULL;
  statement->first = parse_expression (self);
  if (statement->first == NULL || !expect (self, ')'))
    return NULL;
  statement->second = parse_statement (self);
  if (statement->second == NULL)
    return NULL;
  if (accept_word (self, "else")) {
    statement->third = parse_statement (self);
    if (statement->third == NULL)
      return NULL;
  }
  return statement;
}

static SrganSyntax *
parse_statement (Parser *self)
{
  SrganSyntax *statement = NULL;

  if (!enter (self))
    return NULL;
  if (is_sign (peek (self, 0), '{')) {
    statement = parse_block (self);
  } else if (accept_word (self, "if")) {
    statement = parse_if (self);
  } else if (accept_word (self, "for")) {
    statement = parse_loop (self, TRUE);
  } else if (accept_word (self, "while")) {
    statement = parse_loop (self, FALSE);
  } else if (accept_word (self, "return")) {
    statement = new_syntax (self, SRGAN_SYNTAX_RETURN);
    if (!accept (self, ';')) {
      statement->first = parse_expression (self);
      if (statement->first == NULL || !expect (self, ';'))
        statement = NULL;
    }
  } else if (accept_word (self, "break")) {
    statement = new_syntax (self, SRGAN_SYNTAX_BREAK);
    if (!expect (self, ';'))
      statement = NULL;
  } else if (accept_word (self, "continue")) {
    statement = new_syntax (self, SRGAN_SYNTAX_CONTINUE);
    if (!expect (self, ';'))
      statement = NULL;
  } else if (at_declaration (self)) {
    statement = parse_declaration (self);
  } else {
    statement = parse_simple (self);
  }
  leave (self);
  return statement;
}

/* A function or a declaration beside functions. */
static SrganSyntax *
parse_global (Parser *self)
{
  SrganSyntax *global = new_syntax (self, SRGAN_SYNTAX_DECLARE);
  SrganSyntax **last;

  if (!parse_type (self, global) || !parse_name (self, global))
    return NULL;
  if (!is_sign (peek (self, 0), '('))
    return parse_declared (self, global) ? global : NULL;
  self->at++;
  global->kind = SRGAN_SYNTAX_FUNCTION;
  last = &global->first;
  while (!accept (self, ')')) {
    *last = new_syntax (self, SRGAN_SYNTAX_DECLARE);
    if (accept_word (self, "void") && accept (self, ')')) {
      *last = NULL;
      break;
    }
    if (!parse_type (self, *last) || !parse_name (self, *last) ||
        !parse_sizes (self, *last))
      return NULL;
    last = &(*last)->next;
    if (!accept (self, ',')) {
      if (!expect (self, ')'))
        return NULL;
      break;
    }
  }
  global->body = parse_block (self);
  return global->body != NULL ? global : NULL;
}

SrganSyntax *
srgan_shader_parse (SrganSyntaxMemory *memory, const gchar *text, gsize length,
    guint line, GError **error)
{
  g_autoptr (GError) reason = NULL;
  Parser self = {.memory = memory, .error = &reason};
  SrganSyntax *first = NULL, **last = &first;
  gboolean done;

  self.macros = g_hash_table_new_full (NULL, NULL, NULL, free_macro);
  self.tokens = g_array_new (FALSE, FALSE, sizeof (Token));
  done = preprocess (&self, text, length, line);
  while (done && peek (&self, 0)->kind != TOKEN_END) {
    if (accept (&self, ';'))
      continue;
    *last = parse_global (&self);
    if (*last == NULL)
      done = FALSE;
    else
      last = &(*last)->next;
  }
  if (done && first == NULL)
    done = fail (&self, line, "nothing but comments");
  g_array_unref (self.tokens);
  g_hash_table_unref (self.macros);
  if (done)
    return first;
  g_propagate_error (error, g_steal_pointer (&reason));
  return NULL;
}

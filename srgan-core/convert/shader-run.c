/* convert: shaders: runs a pass for one texel.
 *
 * Positions, sizes, indices and conditions are plain numbers, as they are on a
 * GPU; what is read from textures is not known, and only sums, ReLUs and the
 * like can be made of it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/shader.h"

#include <math.h>
#include <string.h>

/* Closer to a whole number than this is one: positions are quotients. */
#define CLOSE 1e-6

typedef struct _Value Value;
struct _Value {
  SrganShaderType type;
  gboolean is_array;
  guint length;
  Value *items; /* of an array */
  /* the columns of a matrix one after the other, 4 apart */
  SrganShaderNumber parts[16];
};

typedef struct {
  const gchar *name;
  Value *value;
} Variable;

typedef enum {
  GO_ON,
  BROKEN,
  CONTINUED,
  RETURNED,
  STOPPED, /* at a barrier */
  FAILED,
} Flow;

typedef struct {
  SrganShader *shader;
  SrganShaderNumbers *numbers;
  SrganShaderPass *pass;
  GArray *variables; /* of Variable; the innermost last */
  guint n_global;    /* of these, what every function sees */
  guint base;        /* where the function at work begins */
  guint depth;
  gint position[2]; /* of the texel, or gl_GlobalInvocationID */
  gint group[2];
  gint local[2];
  guint n_barriers; /* met so far */
  guint stop_at;    /* of these; 0: none */
  Value result;     /* what return gave */
  guint line;
  GError **error;
} Run;

static gboolean evaluate (Run *self, const SrganSyntax *syntax, Value *value);
static Flow execute (Run *self, const SrganSyntax *statement);

G_GNUC_PRINTF (2, 3)
static gboolean
fail (Run *self, const gchar *format, ...)
{
  va_list arguments;

  va_start (arguments, format);
  srgan_shader_refuse (self->error, self->line, format, arguments);
  va_end (arguments);
  return FALSE;
}

/* --- Values -------------------------------------------------------------- */

static void
init_value (Value *value, SrganShaderBase base, guint columns, guint rows)
{
  memset (value, 0, sizeof *value);
  value->type = (SrganShaderType){base, columns, rows};
}

static void
set_number (Value *value, SrganShaderBase base, gdouble number)
{
  init_value (value, base, 1, 1);
  value->parts[0].constant = number;
}

static guint
count_parts (const Value *value)
{
  return value->type.columns * value->type.rows;
}

/* Part @i, down the columns. */
static SrganShaderNumber *
get_part (Value *value, guint i)
{
  return &value->parts[i / value->type.rows * 4 + i % value->type.rows];
}

/* A plain number. */
static gboolean
get_number (Run *self, Value *value, guint i, gdouble *number)
{
  /* -O3 does not see that what fails is not used; nor below */
  *number = 0.;
  if (value->is_array || i >= count_parts (value))
    return fail (self, "a number is missing");
  if (get_part (value, i)->n > 0)
    return fail (self,
        "a position, an index or a condition that depends on the picture is "
        "not supported");
  *number = get_part (value, i)->constant;
  return TRUE;
}

static gboolean
get_integer (Run *self, Value *value, guint i, gint *integer)
{
  gdouble number;

  *integer = 0;
  if (!get_number (self, value, i, &number))
    return FALSE;
  if (!(fabs (number) < 1e9))
    return fail (self, "a number that is too large");
  *integer = (gint) number;
  return TRUE;
}

static Value *
new_items (Run *self, guint n)
{
  return srgan_arena_alloc (&self->numbers->scratch, n * sizeof (Value));
}

/* --- Arithmetic ---------------------------------------------------------- */

static gdouble
round_integer (gdouble number)
{
  return fabs (number) < 4e9 ? trunc (number) : 0.;
}

static gboolean
multiply (Run *self, SrganShaderNumber a, SrganShaderNumber b,
    SrganShaderNumber *result)
{
  if (a.n > 0 && b.n > 0)
    return fail (self,
        "a product of two numbers that depend on the picture is not "
        "supported");
  *result = a.n > 0 ? srgan_shader_scale (self->numbers, a, b.constant)
                    : srgan_shader_scale (self->numbers, b, a.constant);
  return TRUE;
}

/* Two numbers. */
static gboolean
combine (Run *self, gint operation, SrganShaderBase base, SrganShaderNumber a,
    SrganShaderNumber b, SrganShaderNumber *result)
{
  gdouble x = a.constant, y = b.constant;
  gint64 i, j;

  switch (operation) {
  case '+':
    *result = srgan_shader_add (self->numbers, a, b, 1.);
    return TRUE;
  case '-':
    *result = srgan_shader_add (self->numbers, a, b, -1.);
    return TRUE;
  case '*':
    return multiply (self, a, b, result);
  case '/':
    if (b.n > 0)
      return fail (
          self, "division by what depends on the picture is not supported");
    if (y == 0.)
      return fail (self, "division by zero");
    *result = srgan_shader_scale (self->numbers, a, 1. / y);
    if (a.n == 0)
      result->constant =
          base == SRGAN_SHADER_INTEGER ? round_integer (x / y) : x / y;
    return TRUE;
  default:
    break;
  }
  if (a.n > 0 || b.n > 0)
    return fail (
        self, "a comparison with what depends on the picture is not supported");
  i = (gint64) round_integer (x);
  j = (gint64) round_integer (y);
  switch (operation) {
  case '%':
    if (j == 0)
      return fail (self, "division by zero");
    x = (gdouble) (i % j);
    break;
  case '&':
    x = (gdouble) (i & j);
    break;
  case '|':
    x = (gdouble) (i | j);
    break;
  case '^':
    x = (gdouble) (i ^ j);
    break;
  case SRGAN_SHADER_LEFT:
    x = (gdouble) (i * ((gint64) 1 << (j & 31)));
    break;
  case SRGAN_SHADER_RIGHT:
    x = (gdouble) (i >> (j & 31));
    break;
  case '<':
    x = x < y;
    break;
  case '>':
    x = x > y;
    break;
  case SRGAN_SHADER_LESS_EQUAL:
    x = x <= y;
    break;
  case SRGAN_SHADER_GREATER_EQUAL:
    x = x >= y;
    break;
  case SRGAN_SHADER_EQUAL:
    x = x == y;
    break;
  case SRGAN_SHADER_UNEQUAL:
    x = x != y;
    break;
  case SRGAN_SHADER_AND:
    x = x != 0. && y != 0.;
    break;
  case SRGAN_SHADER_OR:
    x = x != 0. || y != 0.;
    break;
  default:
    return fail (self, "an operation that is not supported");
  }
  *result = srgan_shader_constant (x);
  return TRUE;
}

/* The product of matrices, or of one and a vector on either side. */
static gboolean
multiply_matrices (Run *self, Value *a, Value *b, Value *result)
{
  /* a vector on the left is a row */
  gboolean row = a->type.columns == 1;
  guint inner = row ? a->type.rows : a->type.columns;
  guint rows = row ? 1 : a->type.rows;
  guint columns = b->type.columns;

  if (b->type.rows != inner)
    return fail (self, "a product of sizes that do not fit");
  init_value (
      result, SRGAN_SHADER_FLOAT, row ? 1 : columns, row ? columns : rows);
  for (guint r = 0; r < rows; r++)
    for (guint c = 0; c < columns; c++) {
      SrganShaderNumber sum = {0};

      for (guint k = 0; k < inner; k++) {
        SrganShaderNumber x = row ? a->parts[k] : a->parts[k * 4 + r];
        SrganShaderNumber y = b->parts[c * 4 + k];

        if (x.n > 0 && y.n > 0)
          return multiply (self, x, y, &sum);
        sum = x.n > 0 ? srgan_shader_add (self->numbers, sum, x, y.constant)
                      : srgan_shader_add (self->numbers, sum, y, x.constant);
      }
      *get_part (result, row ? c : c * rows + r) = sum;
    }
  return TRUE;
}

static gboolean
is_comparison (gint operation)
{
  return operation == '<' || operation == '>' ||
         (operation >= SRGAN_SHADER_LESS_EQUAL && operation <= SRGAN_SHADER_OR);
}

static gboolean
combine_values (Run *self, gint operation, Value *a, Value *b, Value *result)
{
  Value *large = count_parts (a) >= count_parts (b) ? a : b;
  SrganShaderBase base =
      a->type.base == SRGAN_SHADER_FLOAT || b->type.base == SRGAN_SHADER_FLOAT
          ? SRGAN_SHADER_FLOAT
          : SRGAN_SHADER_INTEGER;
  guint n = count_parts (large);

  if (a->is_array || b->is_array)
    return fail (self, "arithmetic with an array");
  if (operation == '*' && (a->type.columns > 1 || b->type.columns > 1) &&
      count_parts (a) > 1 && count_parts (b) > 1)
    return multiply_matrices (self, a, b, result);
  if (count_parts (a) != count_parts (b) && count_parts (a) != 1 &&
      count_parts (b) != 1)
    return fail (self, "arithmetic of vectors of %u and of %u", count_parts (a),
        count_parts (b));
  init_value (result, is_comparison (operation) ? SRGAN_SHADER_BOOLEAN : base,
      large->type.columns, large->type.rows);
  for (guint i = 0; i < n; i++)
    if (!combine (self, operation, base,
            *get_part (a, count_parts (a) == 1 ? 0 : i),
            *get_part (b, count_parts (b) == 1 ? 0 : i), get_part (result, i)))
      return FALSE;
  if ((operation == SRGAN_SHADER_EQUAL || operation == SRGAN_SHADER_UNEQUAL) &&
      n > 1) {
    gboolean all = TRUE, any = FALSE;

    for (guint i = 0; i < n; i++) {
      gboolean yes = get_part (result, i)->constant != 0.;

      all = all && yes;
      any = any || yes;
    }
    set_number (result, SRGAN_SHADER_BOOLEAN,
        operation == SRGAN_SHADER_EQUAL ? all : any);
  }
  return TRUE;
}

/* --- Textures ------------------------------------------------------------ */

static SrganShaderNumber
read_texel (Run *self, guint texture, guint component, gint x, gint y)
{
  const SrganShaderTexture *of =
      &g_array_index (self->shader->textures, SrganShaderTexture, texture);

  if (component >= of->n_components)
    return srgan_shader_constant (component == 3 ? 1. : 0.);
  return srgan_shader_sample (self->numbers, texture, component, x, y);
}

/* texelFetch: nothing beyond the edges. */
static void
fetch (Run *self, guint texture, gint x, gint y, Value *value)
{
  const SrganShaderTexture *of =
      &g_array_index (self->shader->textures, SrganShaderTexture, texture);

  init_value (value, SRGAN_SHADER_FLOAT, 1, 4);
  if (x < 0 || y < 0 || x >= of->width || y >= of->height)
    return;
  for (guint i = 0; i < 4; i++)
    value->parts[i] = read_texel (self, texture, i, x, y);
}

/* The texel at or before a place, and how far on it is. */
static void
split_place (gdouble place, gint *index, gdouble *rest)
{
  gdouble whole = floor (place);

  *rest = place - whole;
  if (*rest < CLOSE) {
    *rest = 0.;
  } else if (*rest > 1. - CLOSE) {
    *rest = 0.;
    whole += 1.;
  }
  *index = (gint) whole;
}

/* Between texels and, beyond the edges, those at the edge. */
static gboolean
sample (Run *self, guint texture, gdouble u, gdouble v, Value *value)
{
  const SrganShaderTexture *of =
      &g_array_index (self->shader->textures, SrganShaderTexture, texture);
  gdouble place[2] = {u * of->width - .5, v * of->height - .5};
  const gint size[2] = {of->width, of->height};
  gint first[2];
  gdouble rest[2];

  init_value (value, SRGAN_SHADER_FLOAT, 1, 4);
  for (guint i = 0; i < 2; i++) {
    if (!(fabs (place[i]) < 1e8))
      return fail (self, "a position far outside the picture");
    split_place (place[i], &first[i], &rest[i]);
  }
  for (guint i = 0; i < 4; i++) {
    SrganShaderNumber sum = {0};

    for (gint dy = 0; dy < (rest[1] > 0. ? 2 : 1); dy++)
      for (gint dx = 0; dx < (rest[0] > 0. ? 2 : 1); dx++) {
        gdouble factor =
            (dx ? rest[0] : 1. - rest[0]) * (dy ? rest[1] : 1. - rest[1]);

        sum = srgan_shader_add (self->numbers, sum,
            read_texel (self, texture, i, CLAMP (first[0] + dx, 0, size[0] - 1),
                CLAMP (first[1] + dy, 0, size[1] - 1)),
            factor);
      }
    value->parts[i] = sum;
  }
  return TRUE;
}

/* One component of the four texels around a place, in GLSL's order. */
static gboolean
gather (Run *self, guint texture, gdouble u, gdouble v, gint dx, gint dy,
    gint component, Value *value)
{
  static const gint order[4][2] = {{0, 1}, {1, 1}, {1, 0}, {0, 0}};
  const SrganShaderTexture *of =
      &g_array_index (self->shader->textures, SrganShaderTexture, texture);
  gdouble place[2] = {u * of->width - .5, v * of->height - .5}, rest;
  gint first[2];

  if (component < 0 || component > 3)
    return fail (self, "a component that textures do not have");
  for (guint i = 0; i < 2; i++) {
    if (!(fabs (place[i]) < 1e8))
      return fail (self, "a position far outside the picture");
    split_place (place[i], &first[i], &rest);
  }
  init_value (value, SRGAN_SHADER_FLOAT, 1, 4);
  for (guint i = 0; i < 4; i++)
    value->parts[i] = read_texel (self, texture, (guint) component,
        CLAMP (first[0] + dx + order[i][0], 0, of->width - 1),
        CLAMP (first[1] + dy + order[i][1], 0, of->height - 1));
  return TRUE;
}

/* The texture that @name's beginning is bound to, and what follows: "tex",
 * "pos" ... */
static gboolean
find_texture (
    Run *self, const gchar *name, guint *texture, const gchar **suffix)
{
  const gchar *last = strrchr (name, '_');
  gsize length;

  if (last == NULL)
    return FALSE;
  length = (gsize) (last - name);
  *suffix = last + 1;
  for (guint i = 0; i < self->pass->bind->len; i++) {
    const gchar *bound = g_ptr_array_index (self->pass->bind, i);

    if (strlen (bound) == length && memcmp (bound, name, length) == 0) {
      *texture = g_array_index (self->pass->bound, guint, i);
      return TRUE;
    }
  }
  return FALSE;
}

/* --- Names --------------------------------------------------------------- */

static Value *
find_variable (Run *self, const gchar *name)
{
  for (guint i = self->variables->len; i > self->base; i--) {
    Variable *variable = &g_array_index (self->variables, Variable, i - 1);

    if (variable->name == name)
      return variable->value;
  }
  for (guint i = self->n_global; i > 0; i--) {
    Variable *variable = &g_array_index (self->variables, Variable, i - 1);

    if (variable->name == name)
      return variable->value;
  }
  return NULL;
}

static void
add_variable (Run *self, const gchar *name, Value *value)
{
  Variable variable = {name, value};

  g_array_append_val (self->variables, variable);
}

static void
set_pair (Value *value, SrganShaderBase base, guint n, gdouble x, gdouble y)
{
  init_value (value, base, 1, n);
  value->parts[0].constant = x;
  value->parts[1].constant = y;
}

/* What is there without being declared. */
static gboolean
get_builtin (Run *self, const gchar *name, Value *value)
{
  const SrganShaderPass *pass = self->pass;
  const SrganShaderTexture *of;
  const gchar *suffix;
  guint texture;
  gpointer setting;

  if (strcmp (name, "gl_LocalInvocationID") == 0) {
    set_pair (value, SRGAN_SHADER_INTEGER, 3, self->local[0], self->local[1]);
  } else if (strcmp (name, "gl_WorkGroupID") == 0) {
    set_pair (value, SRGAN_SHADER_INTEGER, 3, self->group[0], self->group[1]);
  } else if (strcmp (name, "gl_GlobalInvocationID") == 0) {
    set_pair (
        value, SRGAN_SHADER_INTEGER, 3, self->position[0], self->position[1]);
  } else if (strcmp (name, "gl_WorkGroupSize") == 0) {
    set_pair (
        value, SRGAN_SHADER_INTEGER, 3, pass->threads[0], pass->threads[1]);
    value->parts[2].constant = 1.;
  } else if (strcmp (name, "gl_LocalInvocationIndex") == 0) {
    set_number (value, SRGAN_SHADER_INTEGER,
        self->local[1] * pass->threads[0] + self->local[0]);
  } else if (strcmp (name, "tex_offset") == 0) {
    set_pair (value, SRGAN_SHADER_FLOAT, 2, 0., 0.);
  } else if (strcmp (name, "true") == 0 || strcmp (name, "false") == 0) {
    set_number (value, SRGAN_SHADER_BOOLEAN, strcmp (name, "true") == 0);
  } else if (strcmp (name, "frame") == 0 || strcmp (name, "random") == 0) {
    return fail (self, "a shader that changes with time ('%s')", name);
  } else if (g_hash_table_lookup_extended (
                 self->shader->settings, name, NULL, &setting)) {
    set_number (value, SRGAN_SHADER_FLOAT, *(gdouble *) setting);
  } else if (find_texture (self, name, &texture, &suffix)) {
    of = &g_array_index (self->shader->textures, SrganShaderTexture, texture);
    if (strcmp (suffix, "pos") == 0)
      set_pair (value, SRGAN_SHADER_FLOAT, 2,
          (self->position[0] + .5) / pass->output[0],
          (self->position[1] + .5) / pass->output[1]);
    else if (strcmp (suffix, "size") == 0)
      set_pair (value, SRGAN_SHADER_FLOAT, 2, of->width, of->height);
    else if (strcmp (suffix, "pt") == 0)
      set_pair (value, SRGAN_SHADER_FLOAT, 2, 1. / of->width, 1. / of->height);
    else if (strcmp (suffix, "off") == 0)
      set_pair (value, SRGAN_SHADER_FLOAT, 2, 0., 0.);
    else if (strcmp (suffix, "mul") == 0)
      set_number (value, SRGAN_SHADER_FLOAT, 1.);
    else
      return fail (self, "'%.60s' is not supported", name);
  } else {
    return fail (self, "'%.60s' is not known", name);
  }
  return TRUE;
}

/* --- Places -------------------------------------------------------------- */

/* Where something lies: a whole value, or some of its parts. */
typedef struct {
  Value *value;
  guint n; /* of parts; 0: the whole */
  guint parts[4];
  SrganShaderType type; /* of what the parts are together */
} Place;

/* The parts that "xyz", "rgb", "stp" name. */
static gboolean
read_components (Run *self, const gchar *name, guint rows, Place *place)
{
  static const gchar *const sets[] = {"xyzw", "rgba", "stpq"};
  gsize n = strlen (name);

  for (guint s = 0; s < G_N_ELEMENTS (sets) && n <= 4; s++) {
    gsize i;

    for (i = 0; i < n; i++) {
      const gchar *found = strchr (sets[s], name[i]);

      if (found == NULL || (guint) (found - sets[s]) >= rows)
        break;
      place->parts[i] = (guint) (found - sets[s]);
    }
    if (i == n) {
      place->n = (guint) n;
      return TRUE;
    }
  }
  return fail (self, "'.%.40s' is none of its components", name);
}

/* Makes @place what its index @at is. */
static gboolean
index_place (Run *self, Place *place, Value *at)
{
  Value *value = place->value;
  gint index = 0;

  if (!get_integer (self, at, 0, &index))
    return FALSE;
  if (place->n > 0) {
    if (index < 0 || (guint) index >= place->n || place->type.columns > 1)
      return fail (self, "index %d is outside", index);
    place->parts[0] = place->parts[index];
    place->n = 1;
    place->type.rows = 1;
    return TRUE;
  }
  if (value->is_array) {
    if (index < 0 || (guint) index >= value->length)
      return fail (
          self, "index %d is outside an array of %u", index, value->length);
    place->value = &value->items[index];
    place->type = place->value->type;
    return TRUE;
  }
  if (value->type.columns > 1) {
    if (index < 0 || (guint) index >= value->type.columns)
      return fail (self, "index %d is outside", index);
    place->n = value->type.rows;
    for (guint i = 0; i < place->n; i++)
      place->parts[i] = (guint) index * 4 + i;
    place->type = (SrganShaderType){value->type.base, 1, place->n};
    return TRUE;
  }
  if (index < 0 || (guint) index >= value->type.rows)
    return fail (self, "index %d is outside", index);
  place->n = 1;
  place->parts[0] = (guint) index;
  place->type = (SrganShaderType){value->type.base, 1, 1};
  return TRUE;
}

static gboolean
member_place (Run *self, Place *place, const gchar *name)
{
  Place parts = *place;

  if (place->value->is_array ||
      (place->n == 0 && place->value->type.columns > 1))
    return fail (self, "'.%.40s' of something else than a vector", name);
  if (!read_components (
          self, name, place->n > 0 ? place->n : place->type.rows, &parts))
    return FALSE;
  if (place->n > 0)
    for (guint i = 0; i < parts.n; i++)
      parts.parts[i] = place->parts[parts.parts[i]];
  parts.type = (SrganShaderType){place->type.base, 1, parts.n};
  *place = parts;
  return TRUE;
}

/* What may be assigned to. */
static gboolean
find_place (Run *self, const SrganSyntax *syntax, Place *place)
{
  Value at;

  self->line = syntax->line;
  switch (syntax->kind) {
  case SRGAN_SYNTAX_NAME:
    place->value = find_variable (self, syntax->name);
    if (place->value == NULL)
      return fail (self, "'%.60s' is not known", syntax->name);
    place->n = 0;
    place->type = place->value->type;
    return TRUE;
  case SRGAN_SYNTAX_INDEX:
    return find_place (self, syntax->first, place) &&
           evaluate (self, syntax->second, &at) &&
           index_place (self, place, &at);
  case SRGAN_SYNTAX_MEMBER:
    return find_place (self, syntax->first, place) &&
           member_place (self, place, syntax->name);
  default:
    return fail (self, "something that cannot be assigned to");
  }
}

static void
read_place (const Place *place, Value *value)
{
  if (place->n == 0) {
    *value = *place->value;
    return;
  }
  init_value (value, place->type.base, 1, place->n);
  for (guint i = 0; i < place->n; i++)
    value->parts[i] = place->value->parts[place->parts[i]];
}

/* @value as one of @type, which must have as many parts; numbers spread. */
static gboolean
convert_value (Run *self, SrganShaderType type, Value *value)
{
  guint n = type.columns * type.rows;

  if (value->is_array || count_parts (value) != n)
    return fail (self, "a value of another type than is needed");
  if (type.base == SRGAN_SHADER_INTEGER &&
      value->type.base == SRGAN_SHADER_FLOAT)
    for (guint i = 0; i < n; i++) {
      gdouble number;

      if (!get_number (self, value, i, &number))
        return FALSE;
      get_part (value, i)->constant = round_integer (number);
    }
  value->type = type;
  return TRUE;
}

static gboolean
write_place (Run *self, const Place *place, Value *value)
{
  if (place->value->is_array != value->is_array && place->n == 0)
    return fail (self, "an array and none");
  if (value->is_array) {
    if (place->value->length != value->length)
      return fail (
          self, "arrays of %u and of %u", place->value->length, value->length);
    place->value->items = value->items;
    return TRUE;
  }
  if (!convert_value (self, place->type, value))
    return FALSE;
  if (place->n == 0) {
    *place->value = *value;
    return TRUE;
  }
  for (guint i = 0; i < place->n; i++)
    place->value->parts[place->parts[i]] = value->parts[i];
  return TRUE;
}

/* --- Functions ----------------------------------------------------------- */

/* What a type's name makes of its arguments. */
static gboolean
construct (
    Run *self, SrganShaderType type, Value *arguments, guint n, Value *value)
{
  guint wanted = type.columns * type.rows, filled = 0;

  init_value (value, type.base, type.columns, type.rows);
  if (n == 0 || type.base == SRGAN_SHADER_VOID)
    return fail (self, "a value is made of nothing");
  for (guint i = 0; i < n; i++)
    if (arguments[i].is_array)
      return fail (self, "a value is made of an array");
  if (n == 1 && count_parts (&arguments[0]) == 1) {
    /* all of a vector, or a matrix's diagonal */
    for (guint i = 0; i < wanted; i++)
      if (type.columns == 1 || i / type.rows == i % type.rows)
        *get_part (value, i) = arguments[0].parts[0];
    filled = wanted;
  } else if (n == 1 && arguments[0].type.columns > 1 && type.columns > 1) {
    for (guint i = 0; i < wanted; i++) {
      guint column = i / type.rows, row = i % type.rows;

      if (column < arguments[0].type.columns && row < arguments[0].type.rows)
        *get_part (value, i) = arguments[0].parts[column * 4 + row];
      else if (column == row)
        get_part (value, i)->constant = 1.;
    }
    filled = wanted;
  }
  for (guint i = 0; i < n && filled < wanted; i++)
    for (guint j = 0; j < count_parts (&arguments[i]) && filled < wanted; j++)
      *get_part (value, filled++) = *get_part (&arguments[i], j);
  if (filled < wanted)
    return fail (self, "a value of %u numbers is made of %u", wanted, filled);
  if (type.base != SRGAN_SHADER_FLOAT)
    for (guint i = 0; i < wanted; i++) {
      gdouble number;

      if (!get_number (self, value, i, &number))
        return FALSE;
      get_part (value, i)->constant = type.base == SRGAN_SHADER_INTEGER
                                          ? round_integer (number)
                                          : number != 0.;
    }
  return TRUE;
}

static SrganShaderNumber
maximum (Run *self, SrganShaderNumber a, SrganShaderNumber b)
{
  SrganShaderNumber difference = srgan_shader_add (self->numbers, a, b, -1.);

  return srgan_shader_add (self->numbers,
      srgan_shader_apply (
          self->numbers, SRGAN_SHADER_POSITIVE, difference, 0., 0.),
      b, 1.);
}

static SrganShaderNumber
minimum (Run *self, SrganShaderNumber a, SrganShaderNumber b)
{
  SrganShaderNumber difference = srgan_shader_add (self->numbers, a, b, -1.);

  return srgan_shader_add (self->numbers, b,
      srgan_shader_apply (
          self->numbers, SRGAN_SHADER_NEGATIVE, difference, 0., 0.),
      -1.);
}

/* Functions of plain numbers alone. */
static const struct {
  const gchar *name;
  gdouble (*function) (gdouble x);
} plain_functions[] = {
    {"floor", floor},
    {"ceil", ceil},
    {"round", rint},
    {"roundEven", rint},
    {"trunc", trunc},
    {"sqrt", sqrt},
    {"exp", exp},
    {"exp2", exp2},
    {"log", log},
    {"log2", log2},
    {"sin", sin},
    {"cos", cos},
    {"atan", atan},
};

/* Elementwise functions, whose arguments are as large as the largest, or
 * numbers. */
static gboolean
call_elementwise (Run *self, const gchar *name, SrganShaderNumber *a,
    SrganShaderNumber *result, gboolean *known)
{
  SrganShaderNumbers *numbers = self->numbers;
  gdouble x = a[0].constant, y = a[1].constant;

  *known = TRUE;
  if (strcmp (name, "max") == 0) {
    *result = maximum (self, a[0], a[1]);
  } else if (strcmp (name, "min") == 0) {
    *result = minimum (self, a[0], a[1]);
  } else if (strcmp (name, "clamp") == 0) {
    *result = a[1].n == 0 && a[2].n == 0
                  ? srgan_shader_apply (numbers, SRGAN_SHADER_CLIP, a[0],
                        a[1].constant, a[2].constant)
                  : minimum (self, maximum (self, a[0], a[1]), a[2]);
  } else if (strcmp (name, "fma") == 0) {
    if (!multiply (self, a[0], a[1], result))
      return FALSE;
    *result = srgan_shader_add (numbers, *result, a[2], 1.);
  } else if (strcmp (name, "abs") == 0) {
    *result = srgan_shader_add (numbers,
        srgan_shader_apply (numbers, SRGAN_SHADER_POSITIVE, a[0], 0., 0.),
        srgan_shader_apply (numbers, SRGAN_SHADER_NEGATIVE, a[0], 0., 0.), 1.);
  } else if (strcmp (name, "mix") == 0) {
    SrganShaderNumber difference = srgan_shader_add (numbers, a[1], a[0], -1.);

    if (!multiply (self, difference, a[2], result))
      return FALSE;
    *result = srgan_shader_add (numbers, a[0], *result, 1.);
  } else if (strcmp (name, "tanh") == 0) {
    *result = srgan_shader_apply (numbers, SRGAN_SHADER_TANH, a[0], 0., 0.);
  } else if (a[0].n > 0 || a[1].n > 0) {
    *known = FALSE;
  } else if (strcmp (name, "fract") == 0) {
    gint whole;
    gdouble rest;

    *result = srgan_shader_constant (x - floor (x));
    if (fabs (x) < 1e8) {
      split_place (x, &whole, &rest);
      *result = srgan_shader_constant (rest);
    }
  } else if (strcmp (name, "mod") == 0) {
    *result = srgan_shader_constant (y != 0. ? x - y * floor (x / y) : 0.);
  } else if (strcmp (name, "pow") == 0) {
    *result = srgan_shader_constant (pow (x, y));
  } else if (strcmp (name, "step") == 0) {
    *result = srgan_shader_constant (y < x ? 0. : 1.);
  } else if (strcmp (name, "sign") == 0) {
    *result = srgan_shader_constant ((x > 0.) - (x < 0.));
  } else {
    *known = FALSE;
    for (guint i = 0; i < G_N_ELEMENTS (plain_functions); i++)
      if (strcmp (name, plain_functions[i].name) == 0) {
        *result = srgan_shader_constant (plain_functions[i].function (x));
        *known = TRUE;
      }
  }
  return TRUE;
}

static guint
count_arguments (const gchar *name)
{
  static const gchar *const two[] = {"max", "min", "mod", "pow", "step"};
  static const gchar *const three[] = {"clamp", "fma", "mix"};

  for (guint i = 0; i < G_N_ELEMENTS (two); i++)
    if (strcmp (name, two[i]) == 0)
      return 2;
  for (guint i = 0; i < G_N_ELEMENTS (three); i++)
    if (strcmp (name, three[i]) == 0)
      return 3;
  return 1;
}

static gboolean
call_math (
    Run *self, const gchar *name, Value *arguments, guint n, Value *value)
{
  guint largest = 0;

  if (n != count_arguments (name) && strcmp (name, "dot") != 0)
    return fail (self, "'%.60s' of %u arguments is not supported", name, n);
  for (guint i = 0; i < n; i++) {
    if (arguments[i].is_array)
      return fail (self, "'%.60s' of an array", name);
    if (count_parts (&arguments[i]) > count_parts (&arguments[largest]))
      largest = i;
  }
  if (strcmp (name, "dot") == 0) {
    SrganShaderNumber sum = {0};

    if (n != 2 || count_parts (&arguments[0]) != count_parts (&arguments[1]))
      return fail (self, "'dot' of other than two equal vectors");
    for (guint i = 0; i < count_parts (&arguments[0]); i++) {
      SrganShaderNumber product;

      if (!multiply (self, *get_part (&arguments[0], i),
              *get_part (&arguments[1], i), &product))
        return FALSE;
      sum = srgan_shader_add (self->numbers, sum, product, 1.);
    }
    set_number (value, SRGAN_SHADER_FLOAT, 0.);
    value->parts[0] = sum;
    return TRUE;
  }
  init_value (value, arguments[largest].type.base,
      arguments[largest].type.columns, arguments[largest].type.rows);
  for (guint i = 0; i < n; i++)
    if (arguments[i].type.base == SRGAN_SHADER_FLOAT)
      value->type.base = SRGAN_SHADER_FLOAT;
  for (guint i = 0; i < count_parts (value); i++) {
    SrganShaderNumber parts[3] = {{0}};
    gboolean known;

    for (guint j = 0; j < n; j++) {
      guint parts_of = count_parts (&arguments[j]);

      if (parts_of != 1 && parts_of != count_parts (value))
        return fail (self, "'%.60s' of vectors that do not fit", name);
      parts[j] = *get_part (&arguments[j], parts_of == 1 ? 0 : i);
    }
    if (!call_elementwise (self, name, parts, get_part (value, i), &known))
      return FALSE;
    if (!known)
      return fail (self, "'%.60s'%s is not supported", name,
          parts[0].n + parts[1].n > 0 ? " of what depends on the picture" : "");
  }
  return TRUE;
}

static gboolean
call_texture (Run *self, guint texture, const gchar *name, Value *arguments,
    guint n, Value *value)
{
  const SrganShaderTexture *of =
      &g_array_index (self->shader->textures, SrganShaderTexture, texture);
  gdouble u, v;
  gint component = 0, shift[2] = {0, 0};
  guint last = n;

  if (n == 0)
    return fail (self, "'%.60s' without a position", name);
  if (!get_number (self, &arguments[0], 0, &u) ||
      !get_number (
          self, &arguments[0], count_parts (&arguments[0]) > 1 ? 1 : 0, &v))
    return FALSE;
  if (strcmp (name, "tex") == 0 || strcmp (name, "texture") == 0 ||
      strcmp (name, "textureLod") == 0)
    return sample (self, texture, u, v, value);
  if (strcmp (name, "texOff") == 0)
    return sample (self, texture,
        (self->position[0] + .5) / self->pass->output[0] + u / of->width,
        (self->position[1] + .5) / self->pass->output[1] + v / of->height,
        value);
  if (strcmp (name, "map") == 0) {
    set_pair (value, SRGAN_SHADER_FLOAT, 2, (u + .5) / self->pass->output[0],
        (v + .5) / self->pass->output[1]);
    return TRUE;
  }
  if (strcmp (name, "texelFetch") == 0) {
    if (!(fabs (u) < 1e8 && fabs (v) < 1e8))
      return fail (self, "a position far outside the picture");
    fetch (self, texture, (gint) u, (gint) v, value);
    return TRUE;
  }
  if (strcmp (name, "textureGatherOffset") == 0) {
    if (n < 2 || !get_integer (self, &arguments[1], 0, &shift[0]) ||
        !get_integer (self, &arguments[1], 1, &shift[1]))
      return fail (self, "'%.60s' without an offset", name);
    if (ABS (shift[0]) > 64 || ABS (shift[1]) > 64)
      return fail (self, "'%.60s' with an offset that is too large", name);
    last = 3;
  } else {
    last = 2;
  }
  if (n >= last && !get_integer (self, &arguments[last - 1], 0, &component))
    return FALSE;
  if (strcmp (name, "gather") == 0 || strcmp (name, "textureGather") == 0 ||
      strcmp (name, "textureGatherOffset") == 0)
    return gather (self, texture, u, v, shift[0], shift[1], component, value);
  return fail (self, "'%.60s' is not supported", name);
}

/* imageStore (out_image, place, value) */
static gboolean
store (Run *self, Value *at, Value *texel)
{
  gint x, y;
  SrganShaderNumber *parts;

  if (!get_integer (self, at, 0, &x) || !get_integer (self, at, 1, &y))
    return FALSE;
  if (texel->is_array || count_parts (texel) != 4)
    return fail (self, "imageStore of other than four numbers");
  if (x < 0 || y < 0 || x >= self->pass->output[0] ||
      y >= self->pass->output[1])
    return TRUE;
  parts = srgan_arena_alloc (&self->numbers->kept, 4 * sizeof *parts);
  for (guint i = 0; i < 4; i++)
    parts[i] = srgan_shader_keep (self->numbers, texel->parts[i]);
  g_hash_table_replace (self->pass->stored,
      GUINT_TO_POINTER ((guint) (y * self->pass->output[0] + x + 1)), parts);
  return TRUE;
}

static Value *declare (Run *self, const SrganSyntax *declaration);

static const SrganSyntax *
find_function (Run *self, const gchar *name)
{
  for (const SrganSyntax *global = self->pass->syntax; global != NULL;
       global = global->next)
    if (global->kind == SRGAN_SYNTAX_FUNCTION && global->name == name)
      return global;
  return NULL;
}

static gboolean
call_own (Run *self, const SrganSyntax *function, Value *arguments, guint n,
    Value *value)
{
  guint base = self->base, length = self->variables->len, i = 0;
  Flow flow;

  self->base = length;
  for (const SrganSyntax *parameter = function->first; parameter != NULL;
       parameter = parameter->next, i++) {
    Place place = {declare (self, parameter)};

    if (place.value == NULL)
      return FALSE;
    place.type = place.value->type;
    if (i >= n || !write_place (self, &place, &arguments[i]))
      return fail (self, "'%.60s' lacks an argument", function->name);
  }
  init_value (&self->result, SRGAN_SHADER_VOID, 1, 1);
  flow = execute (self, function->body);
  g_array_set_size (self->variables, length);
  self->base = base;
  if (flow == FAILED || flow == STOPPED)
    return FALSE;
  *value = self->result;
  if (function->type.base != SRGAN_SHADER_VOID && !function->is_array)
    return convert_value (self, function->type, value);
  return TRUE;
}

static gboolean
call (Run *self, const SrganSyntax *syntax, Value *value)
{
  Value *arguments;
  const SrganSyntax *function;
  const gchar *suffix;
  guint n = 0, texture, i = 0;

  for (const SrganSyntax *a = syntax->first; a != NULL; a = a->next)
    n++;
  if (n > SRGAN_SHADER_MAX_ITEMS)
    return fail (self, "too many arguments");
  arguments = new_items (self, MAX (n, 1));
  if (strcmp (syntax->name, "imageStore") == 0) {
    if (n != 3 || syntax->first->kind != SRGAN_SYNTAX_NAME ||
        strcmp (syntax->first->name, "out_image") != 0)
      return fail (self, "imageStore into something else than out_image");
    if (!evaluate (self, syntax->first->next, &arguments[0]) ||
        !evaluate (self, syntax->first->next->next, &arguments[1]))
      return FALSE;
    set_number (value, SRGAN_SHADER_VOID, 0.);
    return store (self, &arguments[0], &arguments[1]);
  }
  /* the GLSL functions name their texture, "NAME_raw", first */
  if (n > 0 && syntax->first->kind == SRGAN_SYNTAX_NAME &&
      find_texture (self, syntax->first->name, &texture, &suffix) &&
      strcmp (suffix, "raw") == 0) {
    for (const SrganSyntax *a = syntax->first->next; a != NULL; a = a->next)
      if (!evaluate (self, a, &arguments[i++]))
        return FALSE;
    self->line = syntax->line;
    if (strcmp (syntax->name, "textureSize") == 0) {
      const SrganShaderTexture *of =
          &g_array_index (self->shader->textures, SrganShaderTexture, texture);

      set_pair (value, SRGAN_SHADER_INTEGER, 2, of->width, of->height);
      return TRUE;
    }
    return call_texture (self, texture, syntax->name, arguments, i, value);
  }
  for (const SrganSyntax *a = syntax->first; a != NULL; a = a->next)
    if (!evaluate (self, a, &arguments[i++]))
      return FALSE;
  self->line = syntax->line;
  if (syntax->is_array) {
    init_value (
        value, syntax->type.base, syntax->type.columns, syntax->type.rows);
    value->is_array = TRUE;
    value->length = n;
    value->items = arguments;
    for (i = 0; i < n; i++)
      if (!convert_value (self, syntax->type, &arguments[i]))
        return FALSE;
    return TRUE;
  }
  if (syntax->is_type)
    return construct (self, syntax->type, arguments, n, value);
  function = find_function (self, syntax->name);
  if (function != NULL)
    return call_own (self, function, arguments, n, value);
  if (find_texture (self, syntax->name, &texture, &suffix))
    return call_texture (self, texture, suffix, arguments, n, value);
  if (strcmp (syntax->name, "barrier") == 0) {
    set_number (value, SRGAN_SHADER_VOID, 0.);
    self->n_barriers++;
    return TRUE;
  }
  if (g_str_has_prefix (syntax->name, "memoryBarrier") ||
      strcmp (syntax->name, "groupMemoryBarrier") == 0) {
    set_number (value, SRGAN_SHADER_VOID, 0.);
    return TRUE;
  }
  return call_math (self, syntax->name, arguments, n, value);
}

/* --- Expressions --------------------------------------------------------- */

static gboolean
evaluate_list (Run *self, const SrganSyntax *syntax, Value *value)
{
  guint n = 0, i = 0;

  for (const SrganSyntax *item = syntax->first; item != NULL; item = item->next)
    n++;
  init_value (value, SRGAN_SHADER_FLOAT, 1, 1);
  value->is_array = TRUE;
  value->length = n;
  if (n > SRGAN_SHADER_MAX_ITEMS)
    return fail (self, "an array that is too long");
  value->items = new_items (self, MAX (n, 1));
  for (const SrganSyntax *item = syntax->first; item != NULL; item = item->next)
    if (!evaluate (self, item, &value->items[i++]))
      return FALSE;
  return TRUE;
}

static gboolean
evaluate_part (Run *self, const SrganSyntax *syntax, Value *value)
{
  Value whole, at;
  Place place = {&whole};

  /* of a variable, without a copy of all of it */
  if (syntax->kind == SRGAN_SYNTAX_INDEX ||
      syntax->kind == SRGAN_SYNTAX_MEMBER) {
    const SrganSyntax *root = syntax;

    while (
        root->kind == SRGAN_SYNTAX_INDEX || root->kind == SRGAN_SYNTAX_MEMBER)
      root = root->first;
    if (root->kind == SRGAN_SYNTAX_NAME &&
        find_variable (self, root->name) != NULL) {
      if (!find_place (self, syntax, &place))
        return FALSE;
      read_place (&place, value);
      return TRUE;
    }
  }
  if (!evaluate (self, syntax->first, &whole))
    return FALSE;
  place.type = whole.type;
  if (syntax->kind == SRGAN_SYNTAX_MEMBER) {
    if (!member_place (self, &place, syntax->name))
      return FALSE;
  } else if (!evaluate (self, syntax->second, &at) ||
             !index_place (self, &place, &at)) {
    return FALSE;
  }
  read_place (&place, value);
  return TRUE;
}

static gboolean
evaluate_assignment (Run *self, const SrganSyntax *syntax, Value *value)
{
  Place place;
  Value old, right;

  if (!evaluate (self, syntax->second, &right) ||
      !find_place (self, syntax->first, &place))
    return FALSE;
  if (syntax->operation != 0) {
    read_place (&place, &old);
    if (!combine_values (self, syntax->operation, &old, &right, value))
      return FALSE;
  } else {
    *value = right;
  }
  return write_place (self, &place, value);
}

static gboolean
evaluate_inner (Run *self, const SrganSyntax *syntax, Value *value)
{
  Value first, second;
  Place place;
  Value *variable;
  gdouble number;

  switch (syntax->kind) {
  case SRGAN_SYNTAX_NUMBER:
    set_number (value,
        syntax->is_integer ? SRGAN_SHADER_INTEGER : SRGAN_SHADER_FLOAT,
        syntax->number);
    return TRUE;
  case SRGAN_SYNTAX_NAME:
    variable = find_variable (self, syntax->name);
    if (variable == NULL)
      return get_builtin (self, syntax->name, value);
    *value = *variable;
    return TRUE;
  case SRGAN_SYNTAX_CALL:
    return call (self, syntax, value);
  case SRGAN_SYNTAX_INDEX:
  case SRGAN_SYNTAX_MEMBER:
    return evaluate_part (self, syntax, value);
  case SRGAN_SYNTAX_UNARY:
    if (!evaluate (self, syntax->first, &first))
      return FALSE;
    if (syntax->operation == '+') {
      *value = first;
      return TRUE;
    }
    if (syntax->operation == '-') {
      set_number (&second, first.type.base, 0.);
      return combine_values (self, '-', &second, &first, value);
    }
    if (syntax->operation != '!')
      return fail (self, "an operation that is not supported");
    if (!get_number (self, &first, 0, &number))
      return FALSE;
    set_number (value, SRGAN_SHADER_BOOLEAN, number == 0.);
    return TRUE;
  case SRGAN_SYNTAX_BINARY:
    if (!evaluate (self, syntax->first, &first))
      return FALSE;
    /* the other side only where it counts */
    if (syntax->operation == SRGAN_SHADER_AND ||
        syntax->operation == SRGAN_SHADER_OR) {
      if (!get_number (self, &first, 0, &number))
        return FALSE;
      if ((number != 0.) == (syntax->operation == SRGAN_SHADER_OR)) {
        set_number (value, SRGAN_SHADER_BOOLEAN, number != 0.);
        return TRUE;
      }
    }
    return evaluate (self, syntax->second, &second) &&
           combine_values (self, syntax->operation, &first, &second, value);
  case SRGAN_SYNTAX_ASSIGN:
    return evaluate_assignment (self, syntax, value);
  case SRGAN_SYNTAX_STEP:
    if (!find_place (self, syntax->first, &place))
      return FALSE;
    read_place (&place, &first);
    set_number (&second, first.type.base, 1.);
    if (!combine_values (self, syntax->operation, &first, &second, value))
      return FALSE;
    second = *value;
    if (!syntax->is_prefix)
      *value = first;
    return write_place (self, &place, &second);
  case SRGAN_SYNTAX_CONDITION:
    return evaluate (self, syntax->first, &first) &&
           get_number (self, &first, 0, &number) &&
           evaluate (
               self, number != 0. ? syntax->second : syntax->third, value);
  case SRGAN_SYNTAX_LIST:
    return evaluate_list (self, syntax, value);
  default:
    return fail (self, "a statement where an expression belongs");
  }
}

static gboolean
evaluate (Run *self, const SrganSyntax *syntax, Value *value)
{
  gboolean done;

  self->line = syntax->line;
  self->numbers->n_steps += 4;
  if (++self->depth > 8 * SRGAN_SHADER_MAX_DEPTH)
    done = fail (self, "it is nested too deeply");
  else
    done = srgan_shader_numbers_check (self->numbers, self->error) &&
           evaluate_inner (self, syntax, value);
  self->depth--;
  return done;
}

/* --- Statements ---------------------------------------------------------- */

/* Makes @value an array of the sizes from @size on, filled from @initial. */
static gboolean
shape_array (Run *self, const SrganSyntax *size, SrganShaderType type,
    Value *initial, guint *budget, Value *value)
{
  Value at;
  gint length;

  if (size == NULL) {
    if (initial != NULL && initial->is_array)
      return construct (self, type, initial->items, initial->length, value);
    if (initial != NULL) {
      *value = *initial;
      return convert_value (self, type, value);
    }
    init_value (value, type.base, type.columns, type.rows);
    return TRUE;
  }
  if (!evaluate (self, size, &at) || !get_integer (self, &at, 0, &length))
    return FALSE;
  if (initial != NULL && !initial->is_array)
    return fail (self, "an array of something else");
  if (length == -1 && initial != NULL)
    length = (gint) initial->length;
  if (length < 1 || (guint) length > *budget ||
      (initial != NULL && initial->length != (guint) length))
    return fail (self, "an array of %d is not supported", length);
  *budget /= (guint) length;
  init_value (value, type.base, type.columns, type.rows);
  value->is_array = TRUE;
  value->length = (guint) length;
  value->items = new_items (self, (guint) length);
  for (guint i = 0; i < value->length; i++) {
    guint rest = *budget;

    if (!shape_array (self, size->next, type,
            initial != NULL ? &initial->items[i] : NULL, &rest,
            &value->items[i]))
      return FALSE;
  }
  return TRUE;
}

/* Adds what is declared to the variables; %NULL on failure. */
static Value *
declare (Run *self, const SrganSyntax *declaration)
{
  Value *value = new_items (self, 1);
  Value initial;
  guint budget = SRGAN_SHADER_MAX_ITEMS;

  self->line = declaration->line;
  if (declaration->second != NULL &&
      !evaluate (self, declaration->second, &initial))
    return NULL;
  if (declaration->type.base == SRGAN_SHADER_VOID) {
    fail (self, "a variable of no type");
    return NULL;
  }
  if (!shape_array (self, declaration->first, declaration->type,
          declaration->second != NULL ? &initial : NULL, &budget, value))
    return NULL;
  add_variable (self, declaration->name, value);
  return value;
}

static Flow
execute_loop (Run *self, const SrganSyntax *loop)
{
  guint length = self->variables->len;
  Flow flow = GO_ON;
  Value value;
  gdouble number;

  if (loop->first != NULL)
    flow = execute (self, loop->first);
  while (flow == GO_ON) {
    if (loop->second != NULL) {
      if (!evaluate (self, loop->second, &value) ||
          !get_number (self, &value, 0, &number))
        return FAILED;
      if (number == 0.)
        break;
    }
    self->numbers->n_steps += 16;
    if (!srgan_shader_numbers_check (self->numbers, self->error))
      return FAILED;
    flow = execute (self, loop->body);
    if (flow == CONTINUED)
      flow = GO_ON;
    if (flow == GO_ON && loop->third != NULL &&
        !evaluate (self, loop->third, &value))
      return FAILED;
  }
  g_array_set_size (self->variables, length);
  return flow == BROKEN ? GO_ON : flow;
}

static Flow
execute_inner (Run *self, const SrganSyntax *statement)
{
  guint length = self->variables->len;
  Flow flow = GO_ON;
  Value value;
  gdouble number;

  self->line = statement->line;
  switch (statement->kind) {
  case SRGAN_SYNTAX_DECLARE:
    for (; statement != NULL; statement = statement->third)
      if (declare (self, statement) == NULL)
        return FAILED;
    return GO_ON;
  case SRGAN_SYNTAX_EXPRESSION:
    if (!evaluate (self, statement->first, &value))
      return FAILED;
    return self->stop_at > 0 && self->n_barriers >= self->stop_at ? STOPPED
                                                                  : GO_ON;
  case SRGAN_SYNTAX_IF:
    if (!evaluate (self, statement->first, &value) ||
        !get_number (self, &value, 0, &number))
      return FAILED;
    statement = number != 0. ? statement->second : statement->third;
    flow = statement != NULL ? execute (self, statement) : GO_ON;
    g_array_set_size (self->variables, length);
    return flow;
  case SRGAN_SYNTAX_LOOP:
    return execute_loop (self, statement);
  case SRGAN_SYNTAX_RETURN:
    init_value (&self->result, SRGAN_SHADER_VOID, 1, 1);
    if (statement->first != NULL) {
      if (!evaluate (self, statement->first, &value))
        return FAILED;
      self->result = value;
    }
    return RETURNED;
  case SRGAN_SYNTAX_BREAK:
    return BROKEN;
  case SRGAN_SYNTAX_CONTINUE:
    return CONTINUED;
  case SRGAN_SYNTAX_BLOCK:
    for (const SrganSyntax *inner = statement->first;
         inner != NULL && flow == GO_ON; inner = inner->next)
      flow = execute (self, inner);
    g_array_set_size (self->variables, length);
    return flow;
  default:
    fail (self, "a statement that is not supported");
    return FAILED;
  }
}

static Flow
execute (Run *self, const SrganSyntax *statement)
{
  Flow flow;

  if (++self->depth > 8 * SRGAN_SHADER_MAX_DEPTH) {
    fail (self, "it is nested too deeply");
    flow = FAILED;
  } else {
    flow = execute_inner (self, statement);
  }
  self->depth--;
  return flow;
}

/* --- A pass -------------------------------------------------------------- */

static guint
count_barriers (const SrganSyntax *syntax)
{
  guint n = 0;

  for (; syntax != NULL; syntax = syntax->next) {
    if (syntax->kind == SRGAN_SYNTAX_BLOCK)
      n += count_barriers (syntax->first);
    if (syntax->kind == SRGAN_SYNTAX_EXPRESSION &&
        syntax->first->kind == SRGAN_SYNTAX_CALL &&
        strcmp (syntax->first->name, "barrier") == 0)
      n++;
  }
  return n;
}

static gboolean
declare_globals (Run *self)
{
  for (const SrganSyntax *global = self->pass->syntax; global != NULL;
       global = global->next)
    if (global->kind == SRGAN_SYNTAX_DECLARE &&
        execute (self, global) == FAILED)
      return FALSE;
  self->n_global = self->base = self->variables->len;
  return TRUE;
}

/* The body for one thread, up to barrier @stop_at. */
static gboolean
run_thread (Run *self, const SrganSyntax *hook, gint x, gint y, guint stop_at)
{
  Flow flow;

  self->local[0] = x;
  self->local[1] = y;
  self->position[0] = self->group[0] * self->pass->threads[0] + x;
  self->position[1] = self->group[1] * self->pass->threads[1] + y;
  self->stop_at = stop_at;
  self->n_barriers = 0;
  flow = execute (self, hook->body);
  g_array_set_size (self->variables, self->n_global);
  self->base = self->n_global;
  return flow != FAILED;
}

/* A work group: all of its threads up to each barrier, then those that are
 * needed to the end. */
static gboolean
run_group (Run *self, const SrganSyntax *hook, gint x, gint y)
{
  const SrganShaderPass *pass = self->pass;
  guint n_barriers = count_barriers (hook->body);
  gpointer key = GUINT_TO_POINTER ((guint) (y * pass->output[0] + x + 1));
  gint guess[2];

  self->group[0] = x / pass->block[0];
  self->group[1] = y / pass->block[1];
  if (!declare_globals (self))
    return FALSE;
  for (guint barrier = 1; barrier <= n_barriers; barrier++)
    for (gint j = 0; j < pass->threads[1]; j++)
      for (gint i = 0; i < pass->threads[0]; i++)
        if (!run_thread (self, hook, i, j, barrier))
          return FALSE;
  guess[0] = x % pass->block[0] * pass->threads[0] / pass->block[0];
  guess[1] = y % pass->block[1] * pass->threads[1] / pass->block[1];
  if (!run_thread (self, hook, guess[0], guess[1], 0))
    return FALSE;
  for (gint j = 0; j < pass->threads[1]; j++)
    for (gint i = 0; i < pass->threads[0]; i++)
      if (!g_hash_table_contains (pass->stored, key) &&
          !run_thread (self, hook, i, j, 0))
        return FALSE;
  return g_hash_table_contains (pass->stored, key) ||
         fail (self, "the pass leaves out a part of its picture");
}

gboolean
srgan_shader_run (SrganShader *shader, SrganShaderPass *pass, gint x, gint y,
    SrganShaderNumber result[4], GError **error)
{
  g_autoptr (GError) reason = NULL;
  Run self = {.shader = shader,
      .numbers = &shader->numbers,
      .pass = pass,
      .position = {x, y},
      .line = pass->line,
      .error = &reason};
  const gchar *name =
      g_string_chunk_insert_const (shader->memory.names, "hook");
  const SrganSyntax *hook = find_function (&self, name);
  gpointer key = GUINT_TO_POINTER ((guint) (y * pass->output[0] + x + 1));
  SrganShaderNumber *stored =
      pass->compute ? g_hash_table_lookup (pass->stored, key) : NULL;
  gboolean done = FALSE;

  if (stored != NULL) {
    memcpy (result, stored, 4 * sizeof *result);
    return TRUE;
  }
  srgan_arena_clear (&shader->numbers.scratch);
  srgan_arena_init (&shader->numbers.scratch);
  self.variables = g_array_new (FALSE, FALSE, sizeof (Variable));
  if (hook == NULL) {
    fail (&self, "there is no function hook()");
  } else if (pass->compute) {
    done = run_group (&self, hook, x, y);
    if (done)
      memcpy (
          result, g_hash_table_lookup (pass->stored, key), 4 * sizeof *result);
  } else if (declare_globals (&self)) {
    Value value;

    done = call_own (&self, hook, NULL, 0, &value);
    if (done && count_parts (&value) != 4)
      done = fail (&self, "hook() returns no vec4");
    for (guint i = 0; i < 4 && done; i++)
      result[i] = srgan_shader_keep (&shader->numbers, value.parts[i]);
  }
  g_array_unref (self.variables);
  if (!done)
    g_propagate_error (error, g_steal_pointer (&reason));
  return done;
}

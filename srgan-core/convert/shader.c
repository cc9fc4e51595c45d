/* convert: mpv's user shaders as networks: FSRCNNX, ArtCNN, Anime4K, CuNNy and
 * what else is written so.
 *
 * Every pass is run for a few texels of a picture of one size: one inside, its
 * neighbours, two corners. What comes out are sums of texels of the textures
 * that it reads, at known distances: a convolution, whatever its spelling, with
 * ReLUs before or after. The corners tell what the pass takes for what lies
 * beyond the edges.
 *
 * Textures may be larger than the picture, for more than four channels (a
 * channel in each of 2 x 2 texels) or because they are a larger picture. Here
 * one is a map on a lattice: so many cells for each of the picture's pixels,
 * each of so many texels, which are its channels. A pass is worked out on the
 * finest lattice on which all of its cells are made alike.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/family.h"
#include "convert/graph.h"
#include "convert/shader.h"

#include <math.h>
#include <string.h>

/* The picture that all is worked out for. */
#define WIDTH 1024
#define HEIGHT 512

#define MAX_FILE (8 * 1024 * 1024)
#define MAX_PASSES 400
#define MAX_FACTOR 8
#define MAX_CHANNELS 4096
#define MAX_WEIGHTS (1u << 24)

/* --- Headers ------------------------------------------------------------- */

static void
free_pass (gpointer data)
{
  SrganShaderPass *pass = data;

  g_free (pass->description);
  g_free (pass->save);
  g_free (pass->width);
  g_free (pass->height);
  g_free (pass->when);
  g_ptr_array_unref (pass->bind);
  g_array_unref (pass->bound);
  g_hash_table_unref (pass->stored);
  g_free (pass);
}

static SrganShaderPass *
new_pass (guint line)
{
  SrganShaderPass *pass = g_new0 (SrganShaderPass, 1);

  pass->line = line;
  pass->bind = g_ptr_array_new_with_free_func (g_free);
  pass->bound = g_array_new (FALSE, FALSE, sizeof (guint));
  pass->stored = g_hash_table_new (NULL, NULL);
  return pass;
}

/* What stands for the picture itself, by the hook's name; the others are not
 * pictures, or not whole ones. */
static const struct {
  const gchar *name;
  guint n_components;
  gboolean ycbcr;
} hooks[] = {
    {"LUMA", 1, FALSE},
    {"MAIN", 3, FALSE},
    {"RGB", 3, FALSE},
    {"MAINPRESUB", 3, FALSE},
    {"NATIVE", 3, TRUE},
};

typedef struct {
  SrganShader shader;
  GHashTable *names; /* of what passes may bind -> texture */
  guint hook;        /* row of the table */
  gchar *licence;    /* nullable */
  gboolean shifted;  /* some pass says that it shifts the picture */
  SrganConvertReport *report;
  GArray *maps; /* of Map, one for each texture */
  GPtrArray *groups;
  SrganGraph *graph;
  guint n_values;
} Reader;

/* One line of a header: "//!WORD text". */
static gboolean
read_header (Reader *self, SrganShaderPass *pass, const gchar *line,
    GPtrArray *hooked, gboolean *other, GError **error)
{
  g_auto (GStrv) words = g_strsplit_set (line, " \t\r", -1);
  g_autofree gchar *rest = NULL;
  guint n = 0;
  gint numbers[4] = {0};

  /* without what lies between two blanks */
  for (guint i = 0; words[i] != NULL; i++) {
    if (*words[i] == '\0') {
      g_free (words[i]);
      continue;
    }
    words[n++] = words[i];
  }
  words[n] = NULL;
  if (n == 0)
    return TRUE;
  rest = g_strjoinv (" ", words + 1);
  for (guint i = 1; i < n && i <= 4; i++)
    numbers[i - 1] =
        (gint) CLAMP (g_ascii_strtoll (words[i], NULL, 10), -1, 100000);
  if (strcmp (words[0], "HOOK") == 0) {
    g_ptr_array_add (hooked, g_strdup (rest));
  } else if (strcmp (words[0], "BIND") == 0) {
    g_ptr_array_add (pass->bind, g_strdup (rest));
  } else if (strcmp (words[0], "SAVE") == 0) {
    g_free (pass->save);
    pass->save = g_strdup (rest);
  } else if (strcmp (words[0], "DESC") == 0) {
    g_free (pass->description);
    pass->description = g_utf8_make_valid (rest, -1);
  } else if (strcmp (words[0], "WIDTH") == 0) {
    g_free (pass->width);
    pass->width = g_strdup (rest);
  } else if (strcmp (words[0], "HEIGHT") == 0) {
    g_free (pass->height);
    pass->height = g_strdup (rest);
  } else if (strcmp (words[0], "WHEN") == 0) {
    g_free (pass->when);
    pass->when = g_strdup (rest);
  } else if (strcmp (words[0], "COMPONENTS") == 0) {
    if (numbers[0] < 1 || numbers[0] > 4)
      return srgan_convert_corrupt (
          error, "line %u: COMPONENTS is none of 1 to 4", pass->line);
    pass->n_components = (guint) numbers[0];
  } else if (strcmp (words[0], "COMPUTE") == 0) {
    pass->compute = TRUE;
    for (guint i = 0; i < 2; i++) {
      pass->block[i] = numbers[i];
      pass->threads[i] = n >= 5 ? numbers[2 + i] : numbers[i];
      if (pass->block[i] < 1 || pass->threads[i] < 1 || pass->block[i] > 256 ||
          pass->threads[i] > 256)
        return srgan_convert_corrupt (
            error, "line %u: COMPUTE with sizes that cannot be", pass->line);
    }
    if (pass->threads[0] * pass->threads[1] > 1024)
      return srgan_convert_corrupt (
          error, "line %u: COMPUTE with too many threads", pass->line);
  } else if (strcmp (words[0], "OFFSET") == 0) {
    if (strcmp (rest, "ALIGN") != 0 &&
        (numbers[0] != 0 || numbers[1] != 0 || strchr (rest, '.') != NULL))
      self->shifted = TRUE;
  } else if (strcmp (words[0], "TEXTURE") == 0 ||
             strcmp (words[0], "BUFFER") == 0) {
    return srgan_convert_unsupported (error,
        "line %u: the shader brings a %s ('%.40s'): no network of "
        "convolutions; only those are converted",
        pass->line,
        strcmp (words[0], "TEXTURE") == 0 ? "texture of its own" : "buffer",
        rest);
  } else if (strcmp (words[0], "PARAM") == 0) {
    *other = TRUE;
    g_free (pass->save);
    pass->save = g_strdup (rest);
  }
  /* the others (FORMAT, FILTER, TYPE ...) say nothing of the numbers */
  return TRUE;
}

/* The comments at the beginning of a file. */
static gchar *
read_comments (const gchar *text, gsize length)
{
  g_autofree gchar *start = g_strndup (text, MIN (length, 8192));
  g_auto (GStrv) lines = g_strsplit (start, "\n", -1);
  g_autoptr (GString) comments = g_string_new (NULL);

  for (guint i = 0; lines[i] != NULL; i++) {
    gchar *line = g_strstrip (lines[i]);

    if (g_str_has_prefix (line, "//!"))
      break;
    while (*line == '/' || *line == '*' || *line == '-')
      line++;
    g_strstrip (line);
    if (*line == '\0')
      continue;
    if (comments->len > 0)
      g_string_append_c (comments, ' ');
    g_string_append (comments, line);
  }
  return g_string_free (g_steal_pointer (&comments), FALSE);
}

static gboolean
choose_hook (Reader *self, GPtrArray *hooked, guint line, GError **error)
{
  for (guint i = 0; i < hooked->len; i++)
    for (guint j = 0; j < G_N_ELEMENTS (hooks); j++) {
      const gchar *name = g_ptr_array_index (hooked, i);

      if (strcmp (name, hooks[j].name) != 0)
        continue;
      if (self->shader.hooked != NULL &&
          strcmp (self->shader.hooked, name) != 0)
        return srgan_convert_unsupported (error,
            "line %u: a pass for %s after others for %s: passes for one only "
            "are supported",
            line, name, self->shader.hooked);
      self->shader.hooked = hooks[j].name;
      self->hook = j;
      return TRUE;
    }
  return srgan_convert_unsupported (error,
      "line %u: a pass for %.40s: only those for luma (LUMA) or the whole "
      "picture (MAIN, RGB, NATIVE) are networks that enlarge it",
      line,
      hooked->len > 0 ? (const gchar *) g_ptr_array_index (hooked, 0)
                      : "nothing");
}

/* Splits the file into passes. */
static gboolean
read_passes (Reader *self, const gchar *text, gsize length, GError **error)
{
  const gchar *end = text + length;
  guint number = 1;
  gboolean in_header = FALSE;
  SrganShaderPass *pass = NULL;
  g_autoptr (GPtrArray) hooked = g_ptr_array_new_with_free_func (g_free);
  gboolean other = FALSE;
  const gchar *next;

  for (const gchar *line = text; line <= end; line = next, number++) {
    const gchar *stop =
        line < end ? memchr (line, '\n', (gsize) (end - line)) : NULL;
    const gchar *start = line;
    gboolean is_header;

    if (stop == NULL)
      stop = end;
    next = stop + 1;
    while (start < stop && g_ascii_isspace (*start))
      start++;
    is_header = stop - start >= 3 && memcmp (start, "//!", 3) == 0;
    if ((is_header && !in_header) || line == end || stop == end) {
      if (pass != NULL && !is_header && stop == end) {
        if (in_header) {
          pass->text = line;
          pass->line = number;
        }
        pass->length = (gsize) (end - pass->text);
      }
      /* the one before is whole */
      if (pass != NULL && other) {
        gdouble *setting = g_new (gdouble, 1);

        *setting = g_ascii_strtod (pass->text, NULL);
        g_hash_table_replace (
            self->shader.settings, g_strdup (pass->save), setting);
        g_ptr_array_remove_index (
            self->shader.passes, self->shader.passes->len - 1);
      } else if (pass != NULL &&
                 !choose_hook (self, hooked, pass->line, error)) {
        return FALSE;
      }
      pass = NULL;
      if (!is_header)
        break;
      if (self->shader.passes->len >= MAX_PASSES)
        return srgan_convert_unsupported (
            error, "more than %u passes", MAX_PASSES);
      pass = new_pass (number);
      g_ptr_array_add (self->shader.passes, pass);
      g_ptr_array_set_size (hooked, 0);
      other = FALSE;
    }
    if (is_header) {
      g_autofree gchar *copy =
          g_strndup (start + 3, (gsize) (stop - start - 3));

      if (pass == NULL ||
          !read_header (self, pass, copy, hooked, &other, error))
        return pass == NULL && srgan_convert_corrupt (error, "no pass");
    } else if (pass != NULL) {
      if (in_header) {
        pass->text = line;
        pass->line = number;
      }
      pass->length = (gsize) (MIN (next, end) - pass->text);
    }
    in_header = is_header;
    if (in_header && pass != NULL) {
      pass->text = MIN (next, end);
      pass->length = 0;
    }
  }
  if (pass != NULL)
    return srgan_convert_corrupt (
        error, "line %u: it ends within a header", pass->line);
  if (self->shader.passes->len == 0)
    return srgan_convert_corrupt (error, "it holds no pass");
  return TRUE;
}

/* --- Sizes --------------------------------------------------------------- */

static gint
find_name (Reader *self, const gchar *name)
{
  gpointer found;

  if (strcmp (name, "HOOKED") == 0)
    name = self->shader.hooked;
  return g_hash_table_lookup_extended (self->names, name, NULL, &found)
             ? GPOINTER_TO_INT (found)
             : -1;
}

/* Works out a WIDTH, HEIGHT or WHEN: reverse Polish notation. */
static gboolean
work_out (Reader *self, const gchar *text, guint line, gdouble *result,
    GError **error)
{
  g_auto (GStrv) words = g_strsplit (text, " ", -1);
  gdouble stack[32];
  guint n = 0;

  for (guint i = 0; words[i] != NULL; i++) {
    const gchar *word = words[i];
    const gchar *dot = strrchr (word, '.');
    gchar *end;

    if (*word == '\0')
      continue;
    if (n == G_N_ELEMENTS (stack))
      return srgan_convert_corrupt (error, "line %u: '%.60s'", line, text);
    if (dot != NULL && (strcmp (dot, ".w") == 0 || strcmp (dot, ".h") == 0)) {
      g_autofree gchar *name = g_strndup (word, (gsize) (dot - word));
      gint texture = find_name (self, name);
      const SrganShaderTexture *of;

      /* what is shown is larger by more than any of our networks makes it:
       * then all passes are needed */
      if (strcmp (name, "OUTPUT") == 0) {
        stack[n++] = dot[1] == 'w' ? WIDTH * MAX_FACTOR : HEIGHT * MAX_FACTOR;
        continue;
      }
      if (texture < 0 &&
          (strcmp (name, "NATIVE_CROPPED") == 0 ||
              strcmp (name, "NATIVE") == 0 || strcmp (name, "LUMA") == 0 ||
              strcmp (name, "MAIN") == 0))
        texture = 0;
      if (texture < 0)
        return srgan_convert_unsupported (
            error, "line %u: the size of '%.40s' is not known", line, name);
      of = &g_array_index (self->shader.textures, SrganShaderTexture, texture);
      stack[n++] = dot[1] == 'w' ? of->width : of->height;
    } else if (strlen (word) == 1 && strchr ("+-*/%<>=", *word) != NULL) {
      gdouble a, b;

      if (n < 2)
        return srgan_convert_corrupt (error, "line %u: '%.60s'", line, text);
      b = stack[--n];
      a = stack[--n];
      switch (*word) {
      case '+':
        a += b;
        break;
      case '-':
        a -= b;
        break;
      case '*':
        a *= b;
        break;
      case '/':
        a = b != 0. ? a / b : 0.;
        break;
      case '%':
        a = b != 0. ? fmod (a, b) : 0.;
        break;
      case '<':
        a = a < b;
        break;
      case '>':
        a = a > b;
        break;
      default:
        a = a == b;
        break;
      }
      stack[n++] = a;
    } else if (strcmp (word, "!") == 0 && n > 0) {
      stack[n - 1] = stack[n - 1] == 0.;
    } else {
      gpointer setting;

      if (g_hash_table_lookup_extended (
              self->shader.settings, word, NULL, &setting)) {
        stack[n++] = *(gdouble *) setting;
        continue;
      }
      stack[n++] = g_ascii_strtod (word, &end);
      if (end == word || *end != '\0')
        return srgan_convert_corrupt (
            error, "line %u: '%.40s' is not understood", line, word);
    }
  }
  if (n == 0)
    return srgan_convert_corrupt (error, "line %u: '%.60s'", line, text);
  *result = stack[n - 1];
  return TRUE;
}

/* --- Maps ---------------------------------------------------------------- */

/* What a pass makes, worked out; or the picture. */
typedef struct {
  gint factor[2]; /* texels for each of the picture's pixels, across and down */
  gint lattice;   /* cells for each of the picture's pixels, either way */
  SrganPadding padding;
  guint n_components;
  /* of each texel of a cell, row by row, n_components: how it is made of
   * texels, whose places count from the cell's first */
  SrganShaderNumber *numbers;
  gint channel[4]; /* among those of the group; -1: nothing needs it */
  guint group;
  guint line;
} Map;

static Map *
get_map (Reader *self, guint texture)
{
  return &g_array_index (self->maps, Map, texture);
}

static gint
divide (gint a, gint b)
{
  return a >= 0 ? a / b : -((b - 1 - a) / b);
}

/* The cell on @lattice of a texel of @texture. */
static void
find_cell (
    Reader *self, const SrganShaderAtom *texel, gint lattice, gint cell[2])
{
  const Map *map = get_map (self, texel->texture);

  cell[0] = divide (texel->x, map->factor[0] / lattice);
  cell[1] = divide (texel->y, map->factor[1] / lattice);
}

typedef struct {
  gint low[2], high[2];
  gboolean fits; /* all textures have the lattice */
  gboolean any;
} Bounds;

/* The cells that @number is made of. */
static void
find_bounds (Reader *self, SrganShaderNumber number, gint lattice, guint depth,
    Bounds *bounds)
{
  for (guint i = 0; i < number.n; i++) {
    const SrganShaderAtom *atom =
        srgan_shader_get_atom (&self->shader.numbers, number.terms[i].atom);
    gint cell[2];

    self->shader.numbers.n_steps++;
    if (depth > 16 || self->shader.numbers.n_steps > SRGAN_SHADER_MAX_STEPS) {
      bounds->fits = FALSE;
      return;
    }
    if (atom->kind != SRGAN_SHADER_SAMPLE) {
      find_bounds (self, atom->of, lattice, depth + 1, bounds);
      continue;
    }
    for (guint j = 0; j < 2; j++)
      if (get_map (self, atom->texture)->factor[j] % lattice != 0)
        bounds->fits = FALSE;
    if (!bounds->fits)
      return;
    find_cell (self, atom, lattice, cell);
    for (guint j = 0; j < 2; j++) {
      bounds->low[j] = bounds->any ? MIN (bounds->low[j], cell[j]) : cell[j];
      bounds->high[j] = bounds->any ? MAX (bounds->high[j], cell[j]) : cell[j];
    }
    bounds->any = TRUE;
  }
}

/* Where a function of texels is said to be: its cell nearest to 0. */
static void
find_place (Reader *self, SrganShaderNumber number, gint lattice, gint place[2])
{
  Bounds bounds = {.fits = TRUE};

  find_bounds (self, number, lattice, 0, &bounds);
  for (guint i = 0; i < 2; i++)
    place[i] = bounds.low[i] > 0    ? bounds.low[i]
               : bounds.high[i] < 0 ? bounds.high[i]
                                    : 0;
}

/* How texels are moved. */
typedef struct {
  gint lattice;
  gint move[2];     /* by cells */
  gboolean bounded; /* what then lies outside the picture is padded */
  SrganPadding padding;
} Move;

static SrganShaderNumber
move_number (
    Reader *self, SrganShaderNumber number, const Move *move, guint depth)
{
  SrganShaderNumbers *numbers = &self->shader.numbers;
  g_autoptr (GArray) terms =
      g_array_sized_new (FALSE, FALSE, sizeof (SrganShaderTerm), number.n);
  gdouble constant = number.constant;

  for (guint i = 0; i < number.n; i++) {
    const SrganShaderAtom *atom =
        srgan_shader_get_atom (numbers, number.terms[i].atom);
    Move inner = *move;
    gint place[2];
    gboolean outside = FALSE;
    SrganShaderNumber moved;

    if (depth > 16 || numbers->n_steps > SRGAN_SHADER_MAX_STEPS)
      break;
    if (atom->kind == SRGAN_SHADER_SAMPLE)
      find_cell (self, atom, move->lattice, place);
    else if (move->bounded)
      find_place (self, atom->of, move->lattice, place);
    for (guint j = 0; j < 2 && move->bounded; j++) {
      gint size = (j == 0 ? WIDTH : HEIGHT) * move->lattice;
      gint cell = place[j] + move->move[j];
      gint padded = CLAMP (cell, 0, size - 1);

      outside = outside || padded != cell;
      inner.move[j] += padded - cell;
    }
    if (outside && move->padding == SRGAN_PADDING_ZERO)
      continue;
    if (atom->kind == SRGAN_SHADER_SAMPLE) {
      const Map *map = get_map (self, atom->texture);

      moved = srgan_shader_sample (numbers, atom->texture, atom->component,
          atom->x + inner.move[0] * (map->factor[0] / move->lattice),
          atom->y + inner.move[1] * (map->factor[1] / move->lattice));
    } else {
      moved = srgan_shader_apply (numbers, atom->kind,
          move_number (self, atom->of, &inner, depth + 1), atom->low,
          atom->high);
    }
    /* one term or, of a function of nothing, none */
    constant += moved.constant * number.terms[i].factor;
    if (moved.n > 0) {
      SrganShaderTerm term = {
          moved.terms[0].atom, moved.terms[0].factor * number.terms[i].factor};

      g_array_append_val (terms, term);
    }
  }
  return srgan_shader_sum (
      numbers, constant, (SrganShaderTerm *) terms->data, terms->len);
}

/* What the pass makes of a cell's texels. */
static gboolean
run_cell (Reader *self, SrganShaderPass *pass, const Map *map, gint cell_x,
    gint cell_y, gint lattice, SrganShaderNumber *numbers, GError **error)
{
  gint across = map->factor[0] / lattice, down = map->factor[1] / lattice;

  for (gint y = 0; y < down; y++)
    for (gint x = 0; x < across; x++) {
      SrganShaderNumber texel[4];

      if (!srgan_shader_run (&self->shader, pass, cell_x * across + x,
              cell_y * down + y, texel, error))
        return FALSE;
      for (guint i = 0; i < map->n_components; i++)
        *numbers++ = texel[i];
    }
  return TRUE;
}

static guint
count_numbers (const Map *map, gint lattice)
{
  return (guint) (map->factor[0] / lattice * (map->factor[1] / lattice)) *
         map->n_components;
}

/* Whether the cell at @cell_x, @cell_y is as the numbers of @map, which count
 * from a cell's first texel, say. */
static gboolean
check_cell (Reader *self, SrganShaderPass *pass, const Map *map, gint cell_x,
    gint cell_y, const Move *bounds, gboolean *same, GError **error)
{
  guint n = count_numbers (map, bounds->lattice);
  g_autofree SrganShaderNumber *numbers = g_new0 (SrganShaderNumber, n);
  Move move = *bounds;

  if (!run_cell (
          self, pass, map, cell_x, cell_y, bounds->lattice, numbers, error))
    return FALSE;
  move.move[0] = cell_x;
  move.move[1] = cell_y;
  *same = TRUE;
  for (guint i = 0; i < n && *same; i++)
    *same = srgan_shader_same (&self->shader.numbers,
        move_number (self, map->numbers[i], &move, 0), numbers[i], 0);
  return srgan_shader_numbers_check (&self->shader.numbers, error);
}

static gboolean
fits_lattice (Reader *self, const SrganShaderNumber *numbers, guint n,
    gint lattice, Bounds *bounds)
{
  bounds->fits = TRUE;
  for (guint i = 0; i < n; i++)
    find_bounds (self, numbers[i], lattice, 0, bounds);
  return bounds->fits;
}

/* Works out @map, which @pass makes, on one lattice; @found: whether it could
 * be. */
static gboolean
try_lattice (Reader *self, SrganShaderPass *pass, Map *map, gint lattice,
    gboolean *found, GError **error)
{
  const SrganPadding paddings[] = {SRGAN_PADDING_EDGE, SRGAN_PADDING_ZERO};
  const gint corners[2][2] = {
      {0, 0}, {WIDTH * lattice - 1, HEIGHT * lattice - 1}};
  gint middle[2] = {WIDTH / 2 * lattice, HEIGHT / 2 * lattice};
  guint n = count_numbers (map, lattice);
  g_autofree SrganShaderNumber *numbers = g_new0 (SrganShaderNumber, n);
  Move move = {.lattice = lattice, .move = {-middle[0], -middle[1]}};
  Bounds bounds = {0};
  gboolean same;

  *found = FALSE;
  if (!run_cell (
          self, pass, map, middle[0], middle[1], lattice, numbers, error))
    return FALSE;
  if (!fits_lattice (self, numbers, n, lattice, &bounds))
    return TRUE;
  map->numbers =
      srgan_arena_alloc (&self->shader.numbers.kept, n * sizeof *map->numbers);
  for (guint i = 0; i < n; i++)
    map->numbers[i] = srgan_shader_keep (
        &self->shader.numbers, move_number (self, numbers[i], &move, 0));
  for (gint y = 0; y < MAX (lattice, 2); y++)
    for (gint x = 0; x < MAX (lattice, 2); x++) {
      if (x == 0 && y == 0)
        continue;
      if (!check_cell (self, pass, map, middle[0] + x, middle[1] + y, &move,
              &same, error))
        return FALSE;
      if (!same)
        return TRUE;
    }
  *found = TRUE;
  map->lattice = lattice;
  move.bounded = TRUE;
  for (guint p = 0; p < G_N_ELEMENTS (paddings); p++) {
    gboolean all = TRUE;

    move.padding = map->padding = paddings[p];
    for (guint i = 0; i < 2 && all; i++)
      if (!check_cell (self, pass, map, corners[i][0], corners[i][1], &move,
              &all, error))
        return FALSE;
    if (all)
      return TRUE;
  }
  map->padding = SRGAN_PADDING_EDGE;
  srgan_report_remark (self->report,
      "line %u: the pass sees other pixels beyond the picture's edges than "
      "those at its edges: there its output differs",
      pass->line);
  return TRUE;
}

/* Binds, sizes and works out one pass. */
static gboolean
work_out_pass (Reader *self, SrganShaderPass *pass, GError **error)
{
  const SrganShaderTexture *hooked;
  SrganShaderTexture made = {.pass = 1};
  Map map = {.channel = {-1, -1, -1, -1}, .line = pass->line};
  gboolean found = FALSE;
  gint texture = find_name (self, "HOOKED");
  const gchar *name = pass->save == NULL || strcmp (pass->save, "HOOKED") == 0
                          ? self->shader.hooked
                          : pass->save;
  gdouble sizes[2], when;

  if (pass->when != NULL) {
    if (!work_out (self, pass->when, pass->line, &when, error))
      return FALSE;
    if (when == 0.)
      return TRUE;
  }
  hooked = &g_array_index (self->shader.textures, SrganShaderTexture, texture);
  sizes[0] = hooked->width;
  sizes[1] = hooked->height;
  made.n_components =
      pass->n_components != 0 ? pass->n_components : hooked->n_components;
  if ((pass->width != NULL &&
          !work_out (self, pass->width, pass->line, &sizes[0], error)) ||
      (pass->height != NULL &&
          !work_out (self, pass->height, pass->line, &sizes[1], error)))
    return FALSE;
  for (guint i = 0; i < 2; i++) {
    gint full = i == 0 ? WIDTH : HEIGHT;

    if (!(sizes[i] >= full && sizes[i] <= full * MAX_FACTOR) ||
        fmod (sizes[i], full) != 0.)
      return srgan_convert_unsupported (error,
          "line %u: a pass of %g x %g for a picture of %d x %d: only whole "
          "factors up to %d are supported",
          pass->line, sizes[0], sizes[1], WIDTH, HEIGHT, MAX_FACTOR);
    pass->output[i] = (gint) sizes[i];
    map.factor[i] = pass->output[i] / full;
  }
  for (guint i = 0; i < pass->bind->len; i++) {
    const gchar *bound = g_ptr_array_index (pass->bind, i);
    guint number;

    texture = find_name (self, bound);
    if (texture < 0)
      return srgan_convert_unsupported (error,
          "line %u: BIND: no pass before this one saves '%.40s'", pass->line,
          bound);
    number = (guint) texture;
    g_array_append_val (pass->bound, number);
  }
  /* the hooked texture, under both of its names */
  {
    guint number = (guint) find_name (self, "HOOKED");

    g_ptr_array_add (pass->bind, g_strdup ("HOOKED"));
    g_array_append_val (pass->bound, number);
  }
  pass->syntax = srgan_shader_parse (
      &self->shader.memory, pass->text, pass->length, pass->line, error);
  if (pass->syntax == NULL)
    return FALSE;

  map.n_components = made.n_components;
  for (gint lattice = MIN (map.factor[0], map.factor[1]); lattice > 0 && !found;
       lattice--)
    if (map.factor[0] % lattice == 0 && map.factor[1] % lattice == 0 &&
        !try_lattice (self, pass, &map, lattice, &found, error))
      return FALSE;
  if (!found)
    return srgan_convert_unsupported (error,
        "line %u: the pass does not do the same at every pixel", pass->line);
  g_hash_table_remove_all (pass->stored);
  pass->syntax = NULL;
  srgan_arena_clear (&self->shader.memory.arena);
  srgan_arena_init (&self->shader.memory.arena);

  made.width = pass->output[0];
  made.height = pass->output[1];
  made.name = g_string_chunk_insert_const (self->shader.memory.names, name);
  g_hash_table_replace (self->names, (gpointer) made.name,
      GUINT_TO_POINTER (self->shader.textures->len));
  g_array_append_val (self->shader.textures, made);
  g_array_append_val (self->maps, map);
  return TRUE;
}

/* --- The graph ----------------------------------------------------------- */

/* Textures that are made alike, of the same ones: one map. */
typedef struct {
  gint lattice;
  gint cell[2];     /* texels */
  guint n_channels; /* of a texel */
  gchar *name;      /* of its value */
  SrganPadding padding;
  GArray *textures; /* of guint */
  GArray *sources;  /* of guint: groups that it is made of */
} Group;

static void
free_group (gpointer data)
{
  Group *group = data;

  g_free (group->name);
  g_array_unref (group->textures);
  g_array_unref (group->sources);
  g_free (group);
}

static Group *
get_group (Reader *self, guint index)
{
  return g_ptr_array_index (self->groups, index);
}

static gchar *
new_name (Reader *self)
{
  return g_strdup_printf ("v%u", self->n_values++);
}

/* Adds a node of one input; gives its output's name. */
static gchar *
add_node (
    Reader *self, SrganNodeKind kind, const gchar *input, SrganGraphNode **node)
{
  gchar *name = new_name (self);

  *node = srgan_graph_add_simple (self->graph, kind, input, name);
  (*node)->axis = 1;
  return name;
}

static void
add_vector (Reader *self, SrganGraphNode *node, const gfloat *numbers, guint n)
{
  const gint64 dimensions[3] = {n, 1, 1};
  gfloat *copy;
  SrganConstant *constant =
      srgan_constant_new_numbers (3, dimensions, n, &copy);

  memcpy (copy, numbers, n * sizeof *numbers);
  srgan_graph_node_add_constant (self->graph, node, constant);
}

static gchar *
add_gather (Reader *self, const gchar *input, const gint64 *channels, guint n)
{
  SrganGraphNode *node;
  gchar *name = add_node (self, SRGAN_NODE_GATHER, input, &node);

  srgan_graph_node_add_constant (
      self->graph, node, srgan_constant_new_vector (channels, n));
  return name;
}

static gchar *
add_sum (Reader *self, const gchar *a, const gchar *b)
{
  SrganGraphNode *node;
  gchar *name = add_node (self, SRGAN_NODE_ADD, a, &node);

  srgan_graph_node_add_input (node, b);
  return name;
}

/* The group's map with cells of @lattice, and the texels in one of its
 * cells. */
static gchar *
get_value (Reader *self, const Group *group, gint lattice)
{
  SrganGraphNode *node;
  gchar *name;
  gint block;
  gint64 *order;
  guint n = 0;

  if (lattice == group->lattice)
    return g_strdup (group->name);
  if (lattice < group->lattice) {
    name = add_node (self, SRGAN_NODE_SPACE_TO_DEPTH, group->name, &node);
    node->block = group->lattice / lattice;
    return name;
  }
  /* a cell's texels go to different cells */
  block = lattice / group->lattice;
  order = g_new (
      gint64, (gsize) (group->cell[0] * group->cell[1]) * group->n_channels);
  for (gint dy = 0; dy < block; dy++)
    for (gint dx = 0; dx < block; dx++)
      for (gint y = 0; y < group->cell[1] / block; y++)
        for (gint x = 0; x < group->cell[0] / block; x++)
          for (guint c = 0; c < group->n_channels; c++)
            order[n++] = ((dy * (group->cell[1] / block) + y) * group->cell[0] +
                             dx * (group->cell[0] / block) + x) *
                             (gint64) group->n_channels +
                         c;
  name = add_gather (self, group->name, order, n);
  g_free (order);
  {
    g_autofree gchar *gathered = name;

    name = add_node (self, SRGAN_NODE_DEPTH_TO_SPACE, gathered, &node);
    node->block = block;
  }
  return name;
}

/* The channel of that map, and how far off the cell is, that is a texel. */
static guint
find_channel (
    Reader *self, const SrganShaderAtom *texel, gint lattice, gint cell[2])
{
  const Map *map = get_map (self, texel->texture);
  const Group *group = get_group (self, map->group);
  gint across = map->factor[0] / lattice, down = map->factor[1] / lattice;
  gint x, y, block, channel;

  find_cell (self, texel, lattice, cell);
  x = texel->x - cell[0] * across;
  y = texel->y - cell[1] * down;
  if (lattice >= group->lattice)
    return (guint) ((y * across + x) * (gint) group->n_channels +
                    map->channel[texel->component]);
  block = group->lattice / lattice;
  channel = (y / group->cell[1]) * block + x / group->cell[0];
  channel = (channel * group->cell[1] + y % group->cell[1]) * group->cell[0] +
            x % group->cell[0];
  return (guint) (channel * (gint) group->n_channels +
                  map->channel[texel->component]);
}

/* What a convolution reads: a group's map, or functions of it. */
typedef struct {
  gint group; /* -1: functions */
  SrganShaderAtomKind kind;
  gdouble low, high;
  GHashTable *channels; /* atom -> its channel, of functions */
  GArray *atoms;        /* of guint */
  guint n_channels;
  gchar *name;
  gfloat *weights; /* [out][n_channels][height][width] */
  gboolean used;   /* by the convolution */
} Source;

static void
clear_source (gpointer data)
{
  Source *source = data;

  if (source->channels != NULL)
    g_hash_table_unref (source->channels);
  if (source->atoms != NULL)
    g_array_unref (source->atoms);
  g_free (source->name);
  g_free (source->weights);
}

/* The kinds that one node computes. */
static SrganShaderAtomKind
get_class (const SrganShaderAtom *atom)
{
  return atom->kind == SRGAN_SHADER_NEGATIVE ? SRGAN_SHADER_POSITIVE
                                             : atom->kind;
}

typedef struct {
  guint source, channel;
  gint cell[2];
} Tap;

/* Which source and channel an atom is, at which distance. */
static gboolean
find_tap (Reader *self, GArray *sources, guint index, gint lattice, Tap *tap,
    GError **error)
{
  SrganShaderNumbers *numbers = &self->shader.numbers;
  const SrganShaderAtom *atom = srgan_shader_get_atom (numbers, index);
  Source made = {.group = -1, .kind = get_class (atom)};
  Source *source = NULL;
  guint i;

  if (atom->kind == SRGAN_SHADER_SAMPLE) {
    const Map *map = get_map (self, atom->texture);
    const Group *group = get_group (self, map->group);

    made.group = (gint) map->group;
    made.n_channels = group->n_channels * (guint) (map->factor[0] / lattice) *
                      (guint) (map->factor[1] / lattice);
    tap->channel = find_channel (self, atom, lattice, tap->cell);
  } else {
    Move move = {.lattice = lattice};
    SrganShaderNumber moved;

    made.low = atom->low;
    made.high = atom->high;
    find_place (self, atom->of, lattice, tap->cell);
    move.move[0] = -tap->cell[0];
    move.move[1] = -tap->cell[1];
    moved = srgan_shader_apply (numbers, atom->kind,
        move_number (self, atom->of, &move, 0), atom->low, atom->high);
    if (moved.n != 1)
      return srgan_convert_unsupported (error, "a function of nothing");
    index = moved.terms[0].atom;
  }
  for (i = 0; i < sources->len; i++) {
    Source *other = &g_array_index (sources, Source, i);

    if (other->group == made.group &&
        (made.group >= 0 ||
            (other->kind == made.kind && other->low == made.low &&
                other->high == made.high))) {
      source = other;
      break;
    }
  }
  if (source == NULL) {
    if (made.group < 0) {
      made.channels = g_hash_table_new (NULL, NULL);
      made.atoms = g_array_new (FALSE, FALSE, sizeof (guint));
    }
    g_array_append_val (sources, made);
    source = &g_array_index (sources, Source, i);
  }
  tap->source = i;
  if (source->group < 0) {
    gpointer found;

    if (!g_hash_table_lookup_extended (
            source->channels, GUINT_TO_POINTER (index), NULL, &found)) {
      found = GUINT_TO_POINTER (source->atoms->len);
      g_hash_table_insert (source->channels, GUINT_TO_POINTER (index), found);
      g_array_append_val (source->atoms, index);
      source->n_channels = source->atoms->len;
    }
    tap->channel = GPOINTER_TO_UINT (found);
  }
  if (source->n_channels > MAX_CHANNELS)
    return srgan_convert_unsupported (
        error, "more than %u channels", MAX_CHANNELS);
  return TRUE;
}

static gchar *emit (Reader *self, const SrganShaderNumber *numbers, guint n,
    gint lattice, SrganPadding padding, guint depth, GError **error);

/* The node for a function that all channels pass. */
static gchar *
emit_function (Reader *self, SrganShaderAtomKind kind, const gchar *input,
    gdouble low, gdouble high)
{
  SrganGraphNode *node;
  gchar *name = add_node (self,
      kind == SRGAN_SHADER_CLIP   ? SRGAN_NODE_CLIP
      : kind == SRGAN_SHADER_TANH ? SRGAN_NODE_TANH
                                  : SRGAN_NODE_RELU,
      input, &node);

  if (kind == SRGAN_SHADER_CLIP) {
    srgan_graph_node_add_constant (
        self->graph, node, srgan_constant_new_scalar (low));
    srgan_graph_node_add_constant (
        self->graph, node, srgan_constant_new_scalar (high));
  }
  return name;
}

/* The value of a source. */
static gboolean
emit_source (Reader *self, Source *source, gint lattice, SrganPadding padding,
    guint depth, GError **error)
{
  g_autofree SrganShaderNumber *inner = NULL;
  g_autofree gchar *between = NULL;

  if (source->group >= 0) {
    source->name =
        get_value (self, get_group (self, (guint) source->group), lattice);
    return TRUE;
  }
  inner = g_new (SrganShaderNumber, source->n_channels);
  for (guint i = 0; i < source->n_channels; i++) {
    const SrganShaderAtom *atom = srgan_shader_get_atom (
        &self->shader.numbers, g_array_index (source->atoms, guint, i));

    inner[i] = atom->of;
    if (atom->kind == SRGAN_SHADER_NEGATIVE)
      inner[i] = srgan_shader_keep (&self->shader.numbers,
          srgan_shader_scale (&self->shader.numbers, atom->of, -1.));
  }
  between = emit (
      self, inner, source->n_channels, lattice, padding, depth + 1, error);
  if (between == NULL)
    return FALSE;
  source->name =
      emit_function (self, source->kind, between, source->low, source->high);
  return TRUE;
}

/* Whether the weights hand each channel on. */
static gboolean
is_identity (const gfloat *weights, guint n_out, guint n_in, gint width,
    gint height, const gint low[2])
{
  gsize area = (gsize) (width * height);
  gsize centre = (gsize) (-low[1] * width - low[0]);

  if (n_out != n_in)
    return FALSE;
  for (guint o = 0; o < n_out; o++)
    for (guint i = 0; i < n_in; i++)
      for (gsize k = 0; k < area; k++)
        if (*weights++ != (o == i && k == centre ? 1.f : 0.f))
          return FALSE;
  return TRUE;
}

/* A convolution of the sources in use. */
static gchar *
emit_conv (Reader *self, GArray *sources, const gfloat *bias, guint n_out,
    gint width, gint height, const gint low[2], const gint high[2],
    SrganPadding padding)
{
  g_autofree gchar *input = NULL;
  gsize area = (gsize) (width * height);
  guint n_in = 0, n_used = 0, at = 0;
  SrganGraphNode *node = NULL;
  SrganConstant *weights;
  gint64 dimensions[4];
  gfloat *numbers;
  gchar *name;
  gboolean picks = area == 1;
  g_autofree gint64 *picked = g_new0 (gint64, n_out);

  for (guint i = 0; i < sources->len; i++) {
    Source *source = &g_array_index (sources, Source, i);

    if (!source->used)
      continue;
    n_in += source->n_channels;
    if (n_used++ == 0) {
      input = g_strdup (source->name);
    } else if (n_used == 2) {
      g_autofree gchar *first = input;

      input = add_node (self, SRGAN_NODE_CONCAT, first, &node);
      srgan_graph_node_add_input (node, source->name);
    } else {
      srgan_graph_node_add_input (node, source->name);
    }
  }
  dimensions[0] = n_out;
  dimensions[1] = n_in;
  dimensions[2] = height;
  dimensions[3] = width;
  weights = srgan_constant_new_numbers (
      4, dimensions, (gsize) n_out * n_in * area, &numbers);
  for (guint i = 0; i < sources->len; i++) {
    Source *source = &g_array_index (sources, Source, i);

    if (!source->used)
      continue;
    for (guint o = 0; o < n_out; o++)
      memcpy (numbers + ((gsize) o * n_in + at) * area,
          source->weights + (gsize) o * source->n_channels * area,
          source->n_channels * area * sizeof *numbers);
    at += source->n_channels;
  }
  /* channels that are only put in another order */
  for (guint o = 0; o < n_out && picks; o++) {
    guint n_ones = 0;

    for (guint i = 0; i < n_in; i++) {
      gfloat number = numbers[(gsize) o * n_in + i];

      picks = picks && (number == 0.f || number == 1.f);
      if (number == 1.f) {
        n_ones++;
        picked[o] = i;
      }
    }
    picks = picks && n_ones == 1 && bias[o] == 0.f;
  }
  if (picks) {
    srgan_constant_unref (weights);
    return add_gather (self, input, picked, n_out);
  }
  if (padding == SRGAN_PADDING_EDGE && area > 1) {
    const gint64 amounts[8] = {0, 0, -low[1], -low[0], 0, 0, high[1], high[0]};
    g_autofree gchar *bare = input;

    input = add_node (self, SRGAN_NODE_PAD, bare, &node);
    node->mode = SRGAN_PADDING_EDGE;
    srgan_graph_node_add_constant (
        self->graph, node, srgan_constant_new_vector (amounts, 8));
  }
  name = add_node (self, SRGAN_NODE_CONV, input, &node);
  srgan_graph_node_add_constant (self->graph, node, weights);
  dimensions[0] = n_out;
  weights = srgan_constant_new_numbers (1, dimensions, n_out, &numbers);
  memcpy (numbers, bias, n_out * sizeof *bias);
  srgan_graph_node_add_constant (self->graph, node, weights);
  if (padding != SRGAN_PADDING_EDGE) {
    node->pads[0] = -low[1];
    node->pads[1] = -low[0];
    node->pads[2] = high[1];
    node->pads[3] = high[0];
  }
  return name;
}

/* Sums: a convolution, and maps that are added to it. */
static gchar *
emit_sums (Reader *self, const SrganShaderNumber *numbers, guint n,
    gint lattice, SrganPadding padding, guint depth, GError **error)
{
  g_autoptr (GArray) sources = g_array_new (FALSE, TRUE, sizeof (Source));
  g_autoptr (GArray) taps = g_array_new (FALSE, FALSE, sizeof (Tap));
  g_autofree gfloat *bias = g_new0 (gfloat, n);
  g_autoptr (GPtrArray) added = g_ptr_array_new ();
  gint low[2] = {0, 0}, high[2] = {0, 0}, width, height;
  guint at = 0, n_used = 0;
  gboolean biased = FALSE;
  gchar *result = NULL;

  g_array_set_clear_func (sources, clear_source);
  for (guint i = 0; i < n; i++)
    for (guint j = 0; j < numbers[i].n; j++) {
      Tap tap;

      if (!find_tap (
              self, sources, numbers[i].terms[j].atom, lattice, &tap, error))
        return NULL;
      for (guint k = 0; k < 2; k++) {
        low[k] = MIN (low[k], tap.cell[k]);
        high[k] = MAX (high[k], tap.cell[k]);
      }
      g_array_append_val (taps, tap);
    }
  width = high[0] - low[0] + 1;
  height = high[1] - low[1] + 1;
  if (sources->len == 0) {
    srgan_convert_unsupported (error, "a map that nothing is read for");
    return NULL;
  }
  for (guint i = 0; i < sources->len; i++) {
    Source *source = &g_array_index (sources, Source, i);

    if (width > 64 || height > 64 ||
        (guint64) n * source->n_channels * (guint) (width * height) >
            MAX_WEIGHTS) {
      srgan_convert_unsupported (error,
          "a convolution of %d x %d, larger than any network's", width, height);
      return NULL;
    }
    source->weights = g_new0 (
        gfloat, (gsize) n * source->n_channels * (gsize) (width * height));
    source->used = TRUE;
  }
  for (guint i = 0; i < n; i++) {
    bias[i] = (gfloat) numbers[i].constant;
    biased = biased || bias[i] != 0.f;
    for (guint j = 0; j < numbers[i].n; j++) {
      const Tap *tap = &g_array_index (taps, Tap, at++);
      Source *source = &g_array_index (sources, Source, tap->source);

      source->weights[(((gsize) i * source->n_channels + tap->channel) *
                              (gsize) height +
                          (gsize) (tap->cell[1] - low[1])) *
                          (gsize) width +
                      (gsize) (tap->cell[0] - low[0])] +=
          (gfloat) numbers[i].terms[j].factor;
    }
  }
  for (guint i = 0; i < sources->len; i++)
    if (!emit_source (self, &g_array_index (sources, Source, i), lattice,
            padding, depth, error))
      return NULL;

  for (guint i = 0; i < sources->len; i++) {
    Source *source = &g_array_index (sources, Source, i);

    /* the residuals */
    if (sources->len > 1 && is_identity (source->weights, n, source->n_channels,
                                width, height, low)) {
      source->used = FALSE;
      g_ptr_array_add (added, source->name);
      continue;
    }
    /* two maps with the same weights: of their sum */
    for (guint j = 0; j < i && source->used; j++) {
      Source *other = &g_array_index (sources, Source, j);
      gchar *sum;

      if (!other->used || other->n_channels != source->n_channels ||
          memcmp (other->weights, source->weights,
              (gsize) n * source->n_channels * (gsize) (width * height) *
                  sizeof (gfloat)) != 0)
        continue;
      sum = add_sum (self, other->name, source->name);
      g_free (other->name);
      other->name = sum;
      source->used = FALSE;
    }
    if (source->used)
      n_used++;
  }
  if (n_used > 0)
    result =
        emit_conv (self, sources, bias, n, width, height, low, high, padding);
  for (guint i = 0; i < added->len; i++) {
    g_autofree gchar *sum = result;

    result = sum == NULL ? g_strdup (g_ptr_array_index (added, i))
                         : add_sum (self, sum, g_ptr_array_index (added, i));
  }
  if (n_used == 0 && biased) {
    g_autofree gchar *sum = result;
    SrganGraphNode *node;

    result = add_node (self, SRGAN_NODE_ADD, sum, &node);
    add_vector (self, node, bias, n);
  }
  return result;
}

/* A number that is one function of a sum: @positive max (sum, 0) +
 * @negative max (-sum, 0), or kind (sum). */
typedef struct {
  SrganShaderAtomKind kind;
  SrganShaderNumber of;
  gdouble positive, negative;
  gdouble low, high;
} Function;

static gboolean
is_function (
    Reader *self, SrganShaderNumber number, gint lattice, Function *function)
{
  SrganShaderNumbers *numbers = &self->shader.numbers;
  gint place[2];

  memset (function, 0, sizeof *function);
  if (number.constant != 0. || number.n < 1 || number.n > 2)
    return FALSE;
  for (guint i = 0; i < number.n; i++) {
    const SrganShaderAtom *atom =
        srgan_shader_get_atom (numbers, number.terms[i].atom);

    if (atom->kind == SRGAN_SHADER_SAMPLE ||
        (get_class (atom) != SRGAN_SHADER_POSITIVE &&
            (number.n > 1 || number.terms[i].factor != 1.)))
      return FALSE;
    if (i > 0 && (get_class (atom) != function->kind ||
                     !srgan_shader_same (numbers, atom->of, function->of, 0)))
      return FALSE;
    function->kind = get_class (atom);
    function->of = atom->of;
    function->low = atom->low;
    function->high = atom->high;
    if (atom->kind == SRGAN_SHADER_NEGATIVE)
      function->negative = number.terms[i].factor;
    else
      function->positive = number.terms[i].factor;
  }
  find_place (self, function->of, lattice, place);
  if (place[0] != 0 || place[1] != 0)
    return FALSE;
  /* what is handed on unchanged is the positive side */
  if (function->kind == SRGAN_SHADER_POSITIVE &&
      (function->positive == 0. ||
          (function->positive != 1. && function->negative == 1.))) {
    gdouble positive = function->positive;

    function->positive = function->negative;
    function->negative = positive;
    function->of = srgan_shader_keep (
        numbers, srgan_shader_scale (numbers, function->of, -1.));
  }
  return function->positive != 0. || function->kind != SRGAN_SHADER_POSITIVE;
}

/* Whether all of the numbers are one function each, of one kind. */
static gboolean
are_functions (Reader *self, const SrganShaderNumber *numbers, guint n,
    gint lattice, Function *functions)
{
  for (guint i = 0; i < n; i++)
    if (!is_function (self, numbers[i], lattice, &functions[i]) ||
        functions[i].kind != functions[0].kind ||
        functions[i].low != functions[0].low ||
        functions[i].high != functions[0].high)
      return FALSE;
  return n > 0;
}

/* @input through the functions. */
static gchar *
emit_functions (
    Reader *self, const Function *functions, guint n, const gchar *input)
{
  g_autofree gfloat *slopes = g_new (gfloat, n);
  g_autofree gfloat *gains = g_new (gfloat, n);
  gboolean curved = FALSE, scaled = FALSE;
  SrganGraphNode *node;
  gchar *name;

  if (functions[0].kind != SRGAN_SHADER_POSITIVE)
    return emit_function (
        self, functions[0].kind, input, functions[0].low, functions[0].high);
  for (guint i = 0; i < n; i++) {
    slopes[i] = (gfloat) (-functions[i].negative / functions[i].positive);
    gains[i] = (gfloat) functions[i].positive;
    curved = curved || slopes[i] != 0.f;
    scaled = scaled || gains[i] != 1.f;
  }
  name = add_node (
      self, curved ? SRGAN_NODE_PRELU : SRGAN_NODE_RELU, input, &node);
  if (curved)
    add_vector (self, node, slopes, n);
  if (scaled) {
    g_autofree gchar *bare = name;

    name = add_node (self, SRGAN_NODE_MULTIPLY, bare, &node);
    add_vector (self, node, gains, n);
  }
  return name;
}

/* The map whose channels are @numbers, on @lattice. */
static gchar *
emit (Reader *self, const SrganShaderNumber *numbers, guint n, gint lattice,
    SrganPadding padding, guint depth, GError **error)
{
  g_autofree Function *functions = g_new (Function, n);
  g_autofree SrganShaderNumber *inner = NULL;
  g_autofree gchar *between = NULL;

  if (depth > 16) {
    srgan_convert_unsupported (error, "functions of functions without end");
    return NULL;
  }
  if (!srgan_shader_numbers_check (&self->shader.numbers, error))
    return NULL;
  if (!are_functions (self, numbers, n, lattice, functions))
    return emit_sums (self, numbers, n, lattice, padding, depth, error);
  inner = g_new (SrganShaderNumber, n);
  for (guint i = 0; i < n; i++)
    inner[i] = functions[i].of;
  between = emit (self, inner, n, lattice, padding, depth + 1, error);
  return between != NULL ? emit_functions (self, functions, n, between) : NULL;
}

/* --- What is needed ------------------------------------------------------ */

/* Marks the textures' components that @number is made of, and the groups. */
static void
mark_needed (
    Reader *self, SrganShaderNumber number, GHashTable *groups, guint depth)
{
  for (guint i = 0; i < number.n && depth <= 16; i++) {
    const SrganShaderAtom *atom =
        srgan_shader_get_atom (&self->shader.numbers, number.terms[i].atom);

    if (atom->kind != SRGAN_SHADER_SAMPLE)
      mark_needed (self, atom->of, groups, depth + 1);
    else if (groups != NULL)
      g_hash_table_add (
          groups, GUINT_TO_POINTER (get_map (self, atom->texture)->group));
    else
      get_map (self, atom->texture)->channel[atom->component] = 0;
  }
}

/* Calls @mark_needed for what the needed components of @map are made of. */
static void
mark_map (Reader *self, const Map *map, GHashTable *groups)
{
  guint n = count_numbers (map, map->lattice);

  for (guint i = 0; i < n; i++)
    if (map->channel[i % map->n_components] >= 0)
      mark_needed (self, map->numbers[i], groups, 0);
}

static gboolean
is_needed (const Map *map)
{
  return map->channel[0] >= 0 || map->channel[1] >= 0 || map->channel[2] >= 0 ||
         map->channel[3] >= 0;
}

/* Adds a needed texture to the group before, where it is made like it, or to
 * one of its own. */
static void
add_to_group (Reader *self, guint texture, gboolean alone)
{
  Map *map = get_map (self, texture);
  g_autoptr (GHashTable) sources = g_hash_table_new (NULL, NULL);
  Group *group = get_group (self, self->groups->len - 1);
  guint own = self->groups->len - 1;
  gboolean fits;

  mark_map (self, map, sources);
  fits = !alone && group->lattice == map->lattice &&
         group->cell[0] == map->factor[0] / map->lattice &&
         group->cell[1] == map->factor[1] / map->lattice &&
         group->padding == map->padding &&
         group->sources->len == g_hash_table_size (sources) &&
         !g_hash_table_contains (sources, GUINT_TO_POINTER (own)) && own > 0;
  for (guint i = 0; i < group->sources->len && fits; i++)
    fits = g_hash_table_contains (
        sources, GUINT_TO_POINTER (g_array_index (group->sources, guint, i)));
  if (!fits) {
    GHashTableIter iter;
    gpointer key;

    group = g_new0 (Group, 1);
    group->lattice = map->lattice;
    group->cell[0] = map->factor[0] / map->lattice;
    group->cell[1] = map->factor[1] / map->lattice;
    group->padding = map->padding;
    group->textures = g_array_new (FALSE, FALSE, sizeof (guint));
    group->sources = g_array_new (FALSE, FALSE, sizeof (guint));
    g_hash_table_iter_init (&iter, sources);
    while (g_hash_table_iter_next (&iter, &key, NULL)) {
      guint source = GPOINTER_TO_UINT (key);

      g_array_append_val (group->sources, source);
    }
    g_ptr_array_add (self->groups, group);
    own++;
  }
  map->group = own;
  g_array_append_val (group->textures, texture);
  for (guint i = 0; i < map->n_components; i++)
    if (map->channel[i] >= 0)
      map->channel[i] = (gint) group->n_channels++;
}

/* The numbers of a group's channels, texel by texel. */
static SrganShaderNumber *
collect_numbers (Reader *self, const Group *group, guint *n)
{
  guint n_texels = (guint) (group->cell[0] * group->cell[1]);
  SrganShaderNumber *numbers =
      g_new0 (SrganShaderNumber, (gsize) n_texels * group->n_channels);

  *n = 0;
  for (guint texel = 0; texel < n_texels; texel++)
    for (guint i = 0; i < group->textures->len; i++) {
      const Map *map =
          get_map (self, g_array_index (group->textures, guint, i));

      for (guint c = 0; c < map->n_components; c++)
        if (map->channel[c] >= 0)
          numbers[(*n)++] = map->numbers[texel * map->n_components + c];
    }
  return numbers;
}

static gboolean
emit_group (Reader *self, Group *group, GError **error)
{
  guint n;
  g_autofree SrganShaderNumber *numbers = collect_numbers (self, group, &n);

  if (n > MAX_CHANNELS)
    return srgan_convert_unsupported (
        error, "more than %u channels", MAX_CHANNELS);
  group->name =
      emit (self, numbers, n, group->lattice, group->padding, 0, error);
  return group->name != NULL;
}

/* --- The output ---------------------------------------------------------- */

/* Takes from @numbers the picture enlarged bilinearly, if it is in them. */
static gboolean
split_bilinear (
    Reader *self, SrganShaderNumber *numbers, guint n_channels, gint block)
{
  SrganShaderNumbers *all = &self->shader.numbers;
  guint n = (guint) (block * block) * n_channels;
  g_autofree SrganShaderNumber *rest = g_new (SrganShaderNumber, n);

  for (guint i = 0; i < n; i++) {
    guint phase = i / n_channels;
    gint at[2] = {(gint) phase % block, (gint) phase / block};
    SrganShaderNumber sum = {0};
    guint n_before = numbers[i].n;

    for (gint dy = 0; dy < 2; dy++)
      for (gint dx = 0; dx < 2; dx++) {
        gdouble factor = 1.;
        gint cell[2];

        for (guint j = 0; j < 2; j++) {
          gdouble place = (at[j] + .5) / block - .5;
          gdouble weight = place - floor (place);

          cell[j] = (gint) floor (place) + (j == 0 ? dx : dy);
          factor *= (j == 0 ? dx : dy) != 0 ? weight : 1. - weight;
        }
        sum = srgan_shader_add (all, sum,
            srgan_shader_sample (all, 0, i % n_channels, cell[0], cell[1]),
            factor);
      }
    /* all of these texels, and nothing else of them */
    rest[i] = srgan_shader_add (all, numbers[i], sum, -1.);
    for (guint j = 0; j < rest[i].n; j++) {
      const SrganShaderAtom *atom =
          srgan_shader_get_atom (all, rest[i].terms[j].atom);

      if (atom->kind == SRGAN_SHADER_SAMPLE && atom->texture == 0) {
        if (fabs (rest[i].terms[j].factor) > 1e-9)
          return FALSE;
        rest[i] = srgan_shader_add (all, rest[i],
            srgan_shader_sample (all, 0, atom->component, atom->x, atom->y),
            -rest[i].terms[j].factor);
        j = G_MAXUINT;
      }
    }
    if (rest[i].n + sum.n > n_before)
      return FALSE;
  }
  for (guint i = 0; i < n; i++)
    numbers[i] = srgan_shader_keep (all, rest[i]);
  return TRUE;
}

/* @numbers, of block x block texels, as a picture on a lattice so much
 * finer. */
static gchar *
emit_picture (Reader *self, SrganShaderNumber *numbers, guint n_channels,
    gint block, const Map *map, guint depth, GError **error)
{
  guint n = (guint) (block * block) * n_channels;
  g_autofree Function *functions = g_new (Function, n);
  g_autofree gchar *flat = NULL;
  gboolean bilinear = FALSE, grey = TRUE;
  SrganGraphNode *node;
  gchar *name;

  /* what comes after all else may come after the shuffle, too */
  if (depth < 16 && are_functions (self, numbers, n, map->lattice, functions) &&
      functions[0].kind != SRGAN_SHADER_POSITIVE) {
    g_autofree SrganShaderNumber *inner = g_new (SrganShaderNumber, n);

    for (guint i = 0; i < n; i++)
      inner[i] = functions[i].of;
    flat = emit_picture (self, inner, n_channels, block, map, depth + 1, error);
    return flat != NULL ? emit_functions (self, functions, n, flat) : NULL;
  }
  if (block > 1 && map->lattice == 1)
    bilinear = split_bilinear (self, numbers, n_channels, block);
  /* one for all colours */
  for (guint i = 0; i < n && bilinear; i++)
    grey = grey && srgan_shader_same (&self->shader.numbers, numbers[i],
                       numbers[i / n_channels * n_channels], 0);
  if (bilinear && grey) {
    for (guint i = 0; i < n / n_channels; i++)
      numbers[i] = numbers[i * n_channels];
    n /= n_channels;
  }
  flat = emit (self, numbers, n, map->lattice, map->padding, depth, error);
  if (flat == NULL || block == 1)
    return g_steal_pointer (&flat);
  name = add_node (self, SRGAN_NODE_DEPTH_TO_SPACE, flat, &node);
  node->block = block;
  if (bilinear) {
    const gint64 factors[2] = {block, block};
    g_autofree gchar *small = get_value (self, get_group (self, 0), 1);
    g_autofree gchar *shuffled = name;
    g_autofree gchar *large = add_node (self, SRGAN_NODE_RESIZE, small, &node);

    node->filter = SRGAN_FILTER_BILINEAR;
    node->coordinates = SRGAN_COORDINATES_HALF_PIXEL;
    srgan_graph_node_add_constant (
        self->graph, node, srgan_constant_new_vector (factors, 2));
    name = add_sum (self, large, shuffled);
  }
  return name;
}

/* --- The reader ---------------------------------------------------------- */

/* Makes the graph: from the last texture under the hook's name. */
static gboolean
build_graph (Reader *self, GError **error)
{
  guint last = (guint) find_name (self, "HOOKED");
  Map *output = get_map (self, last);
  Group *picture;
  guint n_channels = hooks[self->hook].n_components, n;
  gint64 dimensions[4] = {1, n_channels, 0, 0};
  g_autofree SrganShaderNumber *numbers = NULL;
  gint block = output->factor[0] / output->lattice;
  gchar *name;

  if (last == 0)
    return srgan_convert_unsupported (
        error, "no pass makes a picture of the one that there is");
  if (output->factor[0] != output->factor[1] || output->factor[0] > 4)
    return srgan_convert_unsupported (error,
        "it enlarges by %d and %d: 1 to 4, the same both ways, is supported",
        output->factor[0], output->factor[1]);
  if (output->n_components < n_channels)
    return srgan_convert_corrupt (error, "line %u: a picture of %u components",
        output->line, output->n_components);
  for (guint i = 0; i < n_channels; i++)
    output->channel[i] = 0;
  for (guint i = last; i > 0; i--)
    if (is_needed (get_map (self, i)))
      mark_map (self, get_map (self, i), NULL);

  picture = g_new0 (Group, 1);
  picture->lattice = picture->cell[0] = picture->cell[1] = 1;
  picture->n_channels = n_channels;
  picture->name = g_strdup ("picture");
  picture->textures = g_array_new (FALSE, FALSE, sizeof (guint));
  picture->sources = g_array_new (FALSE, FALSE, sizeof (guint));
  g_ptr_array_add (self->groups, picture);
  for (guint i = 0; i < n_channels; i++)
    get_map (self, 0)->channel[i] = (gint) i;
  srgan_graph_add_input (self->graph, picture->name, 4, dimensions, FALSE);
  for (guint i = 1; i <= last; i++)
    if (is_needed (get_map (self, i)))
      add_to_group (self, i, i == last);
  for (guint i = 1; i + 1 < self->groups->len; i++)
    if (!emit_group (self, get_group (self, i), error))
      return FALSE;
  numbers = collect_numbers (self, get_group (self, self->groups->len - 1), &n);
  name = emit_picture (self, numbers, n_channels, block, output, 0, error);
  if (name == NULL)
    return FALSE;
  srgan_graph_add_output (self->graph, name);
  g_free (name);
  return TRUE;
}

static void
clear_reader (Reader *self)
{
  g_clear_pointer (&self->graph, srgan_graph_free);
  g_ptr_array_unref (self->groups);
  g_array_unref (self->maps);
  g_hash_table_unref (self->names);
  g_hash_table_unref (self->shader.settings);
  g_ptr_array_unref (self->shader.passes);
  g_array_unref (self->shader.textures);
  srgan_shader_numbers_clear (&self->shader.numbers);
  srgan_arena_clear (&self->shader.memory.arena);
  g_string_chunk_free (self->shader.memory.names);
}

/* The network's name, from what its passes are called. */
static const gchar *
find_family (Reader *self, const gchar *comments)
{
  static const struct {
    const gchar *name;
    const gchar *word; /* of a pass's description */
  } families[] = {
      {"FSRCNNX", "FSRCNNX"},
      {"FSRCNNX", "sub-band residuals"},
      {"ArtCNN", "ArtCNN"},
      {"Anime4K", "Anime4K"},
      {"CuNNy", "CuNNy"},
  };

  for (guint i = 0; i < G_N_ELEMENTS (families); i++) {
    for (guint j = 0; j < self->shader.passes->len; j++) {
      const SrganShaderPass *pass = g_ptr_array_index (self->shader.passes, j);

      if (pass->description != NULL &&
          strstr (pass->description, families[i].word) != NULL)
        return families[i].name;
    }
    if (strstr (comments, families[i].word) != NULL)
      return families[i].name;
  }
  return NULL;
}

gboolean
srgan_detect_shader (SrganSource *source)
{
  gsize length;
  const gchar *text = source->is_folder
                          ? NULL
                          : srgan_source_peek_text (source, 16384, &length);
  g_autofree gchar *start = NULL;

  if (text == NULL)
    return FALSE;
  start = g_strndup (text, length);
  return strstr (start, "//!HOOK ") != NULL ||
         strstr (start, "//!PARAM ") != NULL;
}

SrganNetwork *
srgan_read_shader (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  Reader self = {.report = report};
  SrganNetwork *network = NULL;
  SrganShaderTexture picture = {.pass = -1, .width = WIDTH, .height = HEIGHT};
  Map map = {.factor = {1, 1}, .lattice = 1, .channel = {-1, -1, -1, -1}};
  g_autofree gchar *comments = NULL;
  gboolean done;

  if (source->size > MAX_FILE) {
    srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "it is larger than any shader of a network");
    return NULL;
  }
  self.shader.memory.names = g_string_chunk_new (4096);
  srgan_arena_init (&self.shader.memory.arena);
  srgan_shader_numbers_init (&self.shader.numbers);
  self.shader.passes = g_ptr_array_new_with_free_func (free_pass);
  self.shader.textures =
      g_array_new (FALSE, FALSE, sizeof (SrganShaderTexture));
  self.shader.settings =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self.names = g_hash_table_new (g_str_hash, g_str_equal);
  self.maps = g_array_new (FALSE, FALSE, sizeof (Map));
  self.groups = g_ptr_array_new_with_free_func (free_group);
  self.graph = srgan_graph_new (source->name);

  comments = read_comments ((const gchar *) source->data, source->size);
  srgan_report_licence (report, NULL, comments);
  done = read_passes (&self, (const gchar *) source->data, source->size, error);
  if (done) {
    picture.name = self.shader.hooked;
    picture.n_components = map.n_components = hooks[self.hook].n_components;
    g_array_append_val (self.shader.textures, picture);
    g_array_append_val (self.maps, map);
    g_hash_table_replace (
        self.names, (gpointer) picture.name, GUINT_TO_POINTER (0));
    self.graph->ycbcr = hooks[self.hook].ycbcr;
  }
  for (guint i = 0; i < self.shader.passes->len && done; i++)
    done =
        work_out_pass (&self, g_ptr_array_index (self.shader.passes, i), error);
  done = done && build_graph (&self, error);
  if (done) {
    if (self.shifted)
      srgan_report_remark (report,
          "the shader moves the picture by a part of a pixel, which its "
          "player makes up for (OFFSET): the network moves it, too");
    network = srgan_graph_build (self.graph, options, report, error);
  }
  if (network != NULL) {
    const gchar *name = find_family (&self, comments);

    if (name != NULL) {
      g_free (report->architecture);
      report->architecture = srgan_family_describe (network, name);
    }
  }
  clear_reader (&self);
  return network;
}

/* convert: shaders: numbers that depend on the picture.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/shader.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK (256 * 1024)

/* --- Memory -------------------------------------------------------------- */

void
srgan_arena_init (SrganArena *arena)
{
  arena->blocks = g_ptr_array_new_with_free_func (g_free);
  arena->next = NULL;
  arena->left = 0;
  arena->total = 0;
}

void
srgan_arena_clear (SrganArena *arena)
{
  g_clear_pointer (&arena->blocks, g_ptr_array_unref);
  arena->left = 0;
}

gpointer
srgan_arena_alloc (SrganArena *arena, gsize size)
{
  gpointer result;

  size = (size + 15) & ~(gsize) 15;
  if (size > arena->left) {
    arena->left = MAX (size, (gsize) BLOCK);
    arena->next = g_malloc0 (arena->left);
    arena->total += arena->left;
    g_ptr_array_add (arena->blocks, arena->next);
  }
  result = arena->next;
  arena->next += size;
  arena->left -= size;
  return result;
}

/* --- Atoms --------------------------------------------------------------- */

static guint
hash_double (gdouble number)
{
  guint64 bits;

  memcpy (&bits, &number, sizeof bits);
  return (guint) (bits ^ (bits >> 29));
}

static guint
hash_atom (gconstpointer data)
{
  const SrganShaderAtom *atom = data;
  guint hash = (guint) atom->kind;

  hash = hash * 31 + atom->texture;
  hash = hash * 31 + atom->component;
  hash = hash * 8191 + (guint) atom->x;
  hash = hash * 8191 + (guint) atom->y;
  hash = hash * 31 + hash_double (atom->of.constant);
  for (guint i = 0; i < atom->of.n; i++)
    hash = (hash * 31 + atom->of.terms[i].atom) * 31 +
           hash_double (atom->of.terms[i].factor);
  return hash;
}

static gboolean
equal_atoms (gconstpointer a, gconstpointer b)
{
  const SrganShaderAtom *x = a, *y = b;

  if (x->kind != y->kind || x->texture != y->texture ||
      x->component != y->component || x->x != y->x || x->y != y->y ||
      x->of.constant != y->of.constant || x->of.n != y->of.n ||
      x->low != y->low || x->high != y->high)
    return FALSE;
  for (guint i = 0; i < x->of.n; i++)
    if (x->of.terms[i].atom != y->of.terms[i].atom ||
        x->of.terms[i].factor != y->of.terms[i].factor)
      return FALSE;
  return TRUE;
}

static guint
intern (SrganShaderNumbers *numbers, const SrganShaderAtom *atom)
{
  gpointer found;
  SrganShaderAtom *copy;

  if (g_hash_table_lookup_extended (numbers->index, atom, NULL, &found))
    return GPOINTER_TO_UINT (found);
  copy = srgan_arena_alloc (&numbers->kept, sizeof *copy);
  *copy = *atom;
  copy->of = srgan_shader_keep (numbers, atom->of);
  g_hash_table_insert (
      numbers->index, copy, GUINT_TO_POINTER (numbers->atoms->len));
  g_ptr_array_add (numbers->atoms, copy);
  return numbers->atoms->len - 1;
}

void
srgan_shader_numbers_init (SrganShaderNumbers *numbers)
{
  numbers->atoms = g_ptr_array_new ();
  numbers->index = g_hash_table_new (hash_atom, equal_atoms);
  srgan_arena_init (&numbers->kept);
  srgan_arena_init (&numbers->scratch);
  numbers->n_steps = 0;
}

void
srgan_shader_numbers_clear (SrganShaderNumbers *numbers)
{
  g_hash_table_unref (numbers->index);
  g_ptr_array_unref (numbers->atoms);
  srgan_arena_clear (&numbers->kept);
  srgan_arena_clear (&numbers->scratch);
}

gboolean
srgan_shader_numbers_check (SrganShaderNumbers *numbers, GError **error)
{
  if (numbers->n_steps <= SRGAN_SHADER_MAX_STEPS &&
      numbers->atoms->len <= SRGAN_SHADER_MAX_ATOMS &&
      numbers->kept.total + numbers->scratch.total <= SRGAN_SHADER_MAX_BYTES)
    return TRUE;
  return srgan_convert_fail (
      error, SRGAN_ERROR_TOO_LARGE, "more is computed than any network needs");
}

const SrganShaderAtom *
srgan_shader_get_atom (const SrganShaderNumbers *numbers, guint atom)
{
  return g_ptr_array_index (numbers->atoms, atom);
}

/* --- Numbers ------------------------------------------------------------- */

SrganShaderNumber
srgan_shader_constant (gdouble constant)
{
  SrganShaderNumber number = {.constant = constant};

  return number;
}

static SrganShaderNumber
make_atom (SrganShaderNumbers *numbers, const SrganShaderAtom *atom)
{
  SrganShaderTerm *term = srgan_arena_alloc (&numbers->scratch, sizeof *term);
  SrganShaderNumber number = {0., 1, term};

  term->atom = intern (numbers, atom);
  term->factor = 1.;
  return number;
}

SrganShaderNumber
srgan_shader_sample (
    SrganShaderNumbers *numbers, guint texture, guint component, gint x, gint y)
{
  SrganShaderAtom atom = {.kind = SRGAN_SHADER_SAMPLE,
      .texture = texture,
      .component = component,
      .x = x,
      .y = y};

  return make_atom (numbers, &atom);
}

SrganShaderNumber
srgan_shader_add (SrganShaderNumbers *numbers, SrganShaderNumber a,
    SrganShaderNumber b, gdouble factor)
{
  SrganShaderNumber sum = {.constant = a.constant + factor * b.constant};
  SrganShaderTerm *terms;
  guint i = 0, j = 0;

  numbers->n_steps += a.n + b.n + 1;
  if (b.n == 0 || factor == 0.) {
    sum.n = a.n;
    sum.terms = a.terms;
    return sum;
  }
  terms =
      srgan_arena_alloc (&numbers->scratch, (a.n + b.n) * sizeof *sum.terms);
  while (i < a.n || j < b.n) {
    SrganShaderTerm term;

    if (j == b.n || (i < a.n && a.terms[i].atom < b.terms[j].atom)) {
      term = a.terms[i++];
    } else if (i == a.n || b.terms[j].atom < a.terms[i].atom) {
      term = b.terms[j++];
      term.factor *= factor;
    } else {
      term = a.terms[i++];
      term.factor += factor * b.terms[j++].factor;
    }
    if (term.factor != 0.)
      terms[sum.n++] = term;
  }
  sum.terms = terms;
  return sum;
}

static gint
compare_terms (gconstpointer a, gconstpointer b)
{
  guint x = ((const SrganShaderTerm *) a)->atom;
  guint y = ((const SrganShaderTerm *) b)->atom;

  return x < y ? -1 : x > y;
}

SrganShaderNumber
srgan_shader_sum (SrganShaderNumbers *numbers, gdouble constant,
    SrganShaderTerm *terms, guint n)
{
  SrganShaderNumber sum = {.constant = constant};
  SrganShaderTerm *merged;

  if (n == 0)
    return sum;
  numbers->n_steps += n;
  qsort (terms, n, sizeof *terms, compare_terms);
  merged = srgan_arena_alloc (&numbers->scratch, n * sizeof *merged);
  for (guint i = 0; i < n; i++)
    if (sum.n > 0 && merged[sum.n - 1].atom == terms[i].atom)
      merged[sum.n - 1].factor += terms[i].factor;
    else
      merged[sum.n++] = terms[i];
  sum.terms = merged;
  return sum;
}

SrganShaderNumber
srgan_shader_scale (
    SrganShaderNumbers *numbers, SrganShaderNumber a, gdouble factor)
{
  if (factor == 1.)
    return a;
  if (a.n == 0)
    return srgan_shader_constant (a.constant * factor);
  return srgan_shader_add (numbers, srgan_shader_constant (0.), a, factor);
}

SrganShaderNumber
srgan_shader_apply (SrganShaderNumbers *numbers, SrganShaderAtomKind kind,
    SrganShaderNumber of, gdouble low, gdouble high)
{
  SrganShaderAtom atom = {.kind = kind, .of = of, .low = low, .high = high};

  if (of.n == 0) {
    gdouble x = of.constant;

    switch (kind) {
    case SRGAN_SHADER_POSITIVE:
      return srgan_shader_constant (MAX (x, 0.));
    case SRGAN_SHADER_NEGATIVE:
      return srgan_shader_constant (MAX (-x, 0.));
    case SRGAN_SHADER_CLIP:
      return srgan_shader_constant (MIN (MAX (x, low), high));
    default:
      return srgan_shader_constant (tanh (x));
    }
  }
  /* one of x and -x for both sides of zero */
  if ((kind == SRGAN_SHADER_POSITIVE || kind == SRGAN_SHADER_NEGATIVE) &&
      of.terms[0].factor < 0.) {
    atom.of = srgan_shader_scale (numbers, of, -1.);
    atom.kind = kind == SRGAN_SHADER_POSITIVE ? SRGAN_SHADER_NEGATIVE
                                              : SRGAN_SHADER_POSITIVE;
  }
  return make_atom (numbers, &atom);
}

SrganShaderNumber
srgan_shader_keep (SrganShaderNumbers *numbers, SrganShaderNumber a)
{
  SrganShaderTerm *terms;

  if (a.n == 0)
    return a;
  terms = srgan_arena_alloc (&numbers->kept, a.n * sizeof *terms);
  memcpy (terms, a.terms, a.n * sizeof *terms);
  a.terms = terms;
  return a;
}

gboolean
srgan_shader_same (SrganShaderNumbers *numbers, SrganShaderNumber a,
    SrganShaderNumber b, guint depth)
{
  SrganShaderNumber difference = srgan_shader_add (numbers, a, b, -1.);
  g_autofree gboolean *done = g_new0 (gboolean, difference.n + 1);
  gdouble largest = 1e-30;

  for (guint i = 0; i < a.n; i++)
    largest = MAX (largest, fabs (a.terms[i].factor));
  if (!(fabs (difference.constant) <=
          1e-6 * MAX (fabs (a.constant), largest) + 1e-9) ||
      depth > SRGAN_SHADER_MAX_DEPTH ||
      numbers->n_steps > SRGAN_SHADER_MAX_STEPS)
    return FALSE;
  for (guint i = 0; i < difference.n; i++) {
    const SrganShaderTerm *term = &difference.terms[i];
    const SrganShaderAtom *atom = srgan_shader_get_atom (numbers, term->atom);
    gboolean found = FALSE;

    if (done[i] || fabs (term->factor) <= 1e-6 * largest)
      continue;
    /* two atoms that are equal but for rounding */
    for (guint j = i + 1; j < difference.n && !found; j++) {
      const SrganShaderTerm *other = &difference.terms[j];
      const SrganShaderAtom *partner =
          srgan_shader_get_atom (numbers, other->atom);

      if (done[j] || atom->kind == SRGAN_SHADER_SAMPLE ||
          partner->kind != atom->kind || partner->low != atom->low ||
          partner->high != atom->high || partner->of.n != atom->of.n ||
          fabs (term->factor + other->factor) > 1e-6 * largest ||
          !srgan_shader_same (numbers, atom->of, partner->of, depth + 1))
        continue;
      done[j] = found = TRUE;
    }
    if (!found)
      return FALSE;
  }
  return TRUE;
}

/* train: turning gradients into steps.
 *
 * SPDX-License-Identifier: MIT
 */
#include "train/optimizer.h"

#include <cblas.h>
#include <math.h>
#include <string.h>

#define EPSILON 1e-8f

/* LAPACK, in OpenBLAS; Debian ships its C headers apart. */
void ssyev_ (const char *jobz, const char *uplo, const int *n, float *a,
    const int *lda, float *w, float *work, const int *lwork, int *info);
void sgeqrf_ (const int *m, const int *n, float *a, const int *lda, float *tau,
    float *work, const int *lwork, int *info);
void sorgqr_ (const int *m, const int *n, const int *k, float *a,
    const int *lda, const float *tau, float *work, const int *lwork, int *info);

/* One side of a matrix under SOAP; both parts in the optimizer's state. */
typedef struct {
  guint n;
  gfloat *moment; /* [n][n]: running mean of G G' (rows) or G' G (columns) */
  gfloat *basis;  /* [n][n]: its eigenvectors, one a row */
} Side;

typedef struct {
  const SrganParameter *tensor;
  gfloat *first;  /* the gradient's running mean, in the basis if any */
  gfloat *second; /* that of its square */
  Side sides[2];  /* rows, columns; n = 0: plain Adam */
} Slot;

struct _SrganOptimizer {
  const SrganRecipe *recipe;
  SrganWorkers *workers;
  guint n_slots;
  Slot *slots;
  gsize n_state;
  gfloat *state;
  gfloat *norm;    /* in the state: running mean of the gradient's length */
  gfloat *scratch; /* a thread's: room for four of the largest matrix or side */
  gsize scratch_length; /* of one of the four */

  /* the step under way */
  guint step;
  gdouble share;
  gfloat *parameters;
  gfloat *gradient;
};

/* Larger sides than this would cost more than the convolution: plain Adam. */
#define LARGEST_SIDE 1200

static gboolean
has_bases (const SrganRecipe *recipe, const SrganParameter *tensor)
{
  return recipe->optimizer == SRGAN_OPTIMIZER_SOAP && tensor->rows > 1 &&
         tensor->columns > 1 &&
         MAX (tensor->rows, tensor->columns) <= LARGEST_SIDE;
}

SrganOptimizer *
srgan_optimizer_new (const SrganRecipe *recipe, const SrganParameter *tensors,
    guint n_tensors, SrganWorkers *workers)
{
  SrganOptimizer *optimizer = g_new0 (SrganOptimizer, 1);
  gfloat *next;

  optimizer->recipe = recipe;
  optimizer->workers = workers;
  optimizer->n_slots = n_tensors;
  optimizer->slots = g_new0 (Slot, n_tensors);
  optimizer->n_state = 1;
  for (guint i = 0; i < n_tensors; i++) {
    gsize rows = tensors[i].rows, columns = tensors[i].columns;
    gsize largest = has_bases (recipe, tensors + i)
                        ? MAX (MAX (rows, columns), 64)
                        : (gsize) ceil (sqrt ((gdouble) rows * columns)) + 1;

    if (tensors[i].kind == SRGAN_PARAMETER_STATISTIC)
      continue;
    optimizer->n_state += 2 * rows * columns;
    if (has_bases (recipe, tensors + i))
      optimizer->n_state += 2 * (rows * rows + columns * columns);
    optimizer->scratch_length =
        MAX (optimizer->scratch_length, largest * largest);
  }
  optimizer->state = g_new0 (gfloat, optimizer->n_state);
  optimizer->scratch = g_new0 (gfloat,
      4 * optimizer->scratch_length * srgan_workers_get_n_threads (workers));

  next = optimizer->state;
  optimizer->norm = next++;
  for (guint i = 0; i < n_tensors; i++) {
    Slot *slot = optimizer->slots + i;
    gsize n = (gsize) tensors[i].rows * tensors[i].columns;

    slot->tensor = tensors + i;
    if (tensors[i].kind == SRGAN_PARAMETER_STATISTIC)
      continue;
    slot->first = next;
    slot->second = next + n;
    next += 2 * n;
    if (!has_bases (recipe, tensors + i))
      continue;
    for (guint s = 0; s < 2; s++) {
      Side *side = slot->sides + s;

      side->n = s == 0 ? tensors[i].rows : tensors[i].columns;
      side->moment = next;
      side->basis = next + (gsize) side->n * side->n;
      next += 2 * (gsize) side->n * side->n;
    }
  }
  return optimizer;
}

void
srgan_optimizer_free (SrganOptimizer *optimizer)
{
  if (optimizer == NULL)
    return;
  g_free (optimizer->slots);
  g_free (optimizer->state);
  g_free (optimizer->scratch);
  g_free (optimizer);
}

gfloat *
srgan_optimizer_get_state (SrganOptimizer *optimizer, gsize *n)
{
  *n = optimizer->n_state;
  return optimizer->state;
}

/* The first step of cycle @i of the cosine. */
static guint
get_cycle_start (const SrganRecipe *recipe, guint i)
{
  gdouble length = recipe->restart_length, n = recipe->restarts + 1;

  return (guint) rint (
      recipe->steps *
      (length > 1 ? (pow (length, i) - 1) / (pow (length, n) - 1) : i / n));
}

gdouble
srgan_optimizer_get_rate (const SrganRecipe *recipe, guint step)
{
  gdouble rise =
      recipe->warm_up == 0 ? 1 : MIN (1, (step + 1.) / recipe->warm_up);
  guint cycle = 0, start, end;

  while (
      cycle < recipe->restarts && step >= get_cycle_start (recipe, cycle + 1))
    cycle++;
  start = get_cycle_start (recipe, cycle);
  end = get_cycle_start (recipe, cycle + 1);
  step = MIN (step, end) - start;
  return rise * pow (recipe->restart_rate, cycle) * .5 *
         (1 + cos (G_PI * step / (gdouble) MAX (end - start, 1)));
}

/* moment = decay * moment + (1 - decay) * G G' or G' G */
static void
update_moment (Side *side, guint index, const Slot *slot,
    const gfloat *gradient, gfloat decay)
{
  gint rows = (gint) slot->tensor->rows, columns = (gint) slot->tensor->columns;

  if (index == 0)
    cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasTrans, rows, rows, columns,
        1 - decay, gradient, columns, gradient, columns, decay, side->moment,
        rows);
  else
    cblas_sgemm (CblasRowMajor, CblasTrans, CblasNoTrans, columns, columns,
        rows, 1 - decay, gradient, columns, gradient, columns, decay,
        side->moment, columns);
}

/* to = L from R', with the bases L and R; @back: L' from R. @between holds as
 * many numbers as the matrix. */
static void
rotate (const Slot *slot, gboolean back, const gfloat *from, gfloat *to,
    gfloat *between)
{
  gint rows = (gint) slot->tensor->rows, columns = (gint) slot->tensor->columns;

  cblas_sgemm (CblasRowMajor, back ? CblasTrans : CblasNoTrans, CblasNoTrans,
      rows, columns, rows, 1, slot->sides[0].basis, rows, from, columns, 0,
      between, columns);
  cblas_sgemm (CblasRowMajor, CblasNoTrans, back ? CblasNoTrans : CblasTrans,
      rows, columns, columns, 1, between, columns, slot->sides[1].basis,
      columns, 0, to, columns);
}

/* The first bases: all eigenvectors, the largest eigenvalue's first. */
static void
find_basis (Side *side, gfloat *scratch)
{
  gint n = (gint) side->n, length = 34 * n, info;
  g_autofree gfloat *work = g_new (gfloat, length);
  g_autofree gfloat *values = g_new (gfloat, n);

  /* LAPACK's columns are our rows; of a symmetric matrix either will do */
  memcpy (scratch, side->moment, (gsize) n * n * sizeof (gfloat));
  ssyev_ ("V", "L", &n, scratch, &n, values, work, &length, &info);
  if (info != 0) {
    /* no convergence: any orthogonal basis is a valid start */
    memset (scratch, 0, (gsize) n * n * sizeof (gfloat));
    for (gint i = 0; i < n; i++)
      scratch[i * n + i] = 1;
  }
  for (gint i = 0; i < n; i++)
    memcpy (side->basis + (gsize) i * n, scratch + (gsize) (n - 1 - i) * n,
        n * sizeof (gfloat));
}

typedef struct {
  gfloat value;
  guint index;
} Eigenvalue;

static gint
compare_eigenvalues (gconstpointer a, gconstpointer b)
{
  const Eigenvalue *p = a, *q = b;

  if (p->value != q->value)
    return p->value > q->value ? -1 : 1;
  return (gint) p->index - (gint) q->index;
}

/* One step of orthogonal iteration, the vectors first put in the order of
 * their eigenvalues; the second moments, which belong to them, follow. */
static void
renew_basis (Slot *slot, guint index, gfloat *scratch)
{
  Side *side = slot->sides + index;
  guint n = side->n, rows = slot->tensor->rows, columns = slot->tensor->columns;
  gint order = (gint) n, length = 34 * (gint) n, info;
  gfloat *product = scratch; /* basis * moment */
  gfloat *sorted = scratch + (gsize) n * n;
  g_autofree gfloat *work = g_new (gfloat, length);
  g_autofree gfloat *tau = g_new (gfloat, n);
  g_autofree Eigenvalue *values = g_new (Eigenvalue, n);

  cblas_sgemm (CblasRowMajor, CblasNoTrans, CblasNoTrans, order, order, order,
      1, side->basis, order, side->moment, order, 0, product, order);
  for (guint i = 0; i < n; i++) {
    values[i].index = i;
    values[i].value = 0;
    for (guint k = 0; k < n; k++)
      values[i].value +=
          product[(gsize) i * n + k] * side->basis[(gsize) i * n + k];
  }
  qsort (values, n, sizeof *values, compare_eigenvalues);

  for (guint i = 0; i < n; i++)
    memcpy (sorted + (gsize) i * n, product + (gsize) values[i].index * n,
        n * sizeof (gfloat));
  sgeqrf_ (&order, &order, sorted, &order, tau, work, &length, &info);
  sorgqr_ (&order, &order, &order, sorted, &order, tau, work, &length, &info);
  memcpy (side->basis, sorted, (gsize) n * n * sizeof (gfloat));

  memcpy (scratch, slot->second, (gsize) rows * columns * sizeof (gfloat));
  for (guint r = 0; r < rows; r++)
    for (guint c = 0; c < columns; c++)
      slot->second[(gsize) r * columns + c] =
          index == 0 ? scratch[(gsize) values[r].index * columns + c]
                     : scratch[(gsize) r * columns + values[c].index];
}

/* @direction = Adam's step for the n numbers of @gradient, without its rate. */
static void
adam (Slot *slot, const gfloat *gradient, gfloat beta1, gfloat beta2,
    guint updates, gfloat *direction)
{
  gsize n = (gsize) slot->tensor->rows * slot->tensor->columns;
  gfloat correction1 = (gfloat) (1 - pow (beta1, updates));
  gfloat correction2 = (gfloat) (1 - pow (beta2, updates));

  for (gsize i = 0; i < n; i++) {
    gfloat g = gradient[i];

    slot->first[i] = beta1 * slot->first[i] + (1 - beta1) * g;
    slot->second[i] = beta2 * slot->second[i] + (1 - beta2) * g * g;
    direction[i] = slot->first[i] / correction1 /
                   (sqrtf (slot->second[i] / correction2) + EPSILON);
  }
}

static void
soap (SrganOptimizer *optimizer, Slot *slot, gfloat rate, gfloat *parameters,
    const gfloat *gradient, gfloat *scratch)
{
  const SrganRecipe *recipe = optimizer->recipe;
  guint step = optimizer->step;
  gsize n = (gsize) slot->tensor->rows * slot->tensor->columns;
  gfloat *rotated = scratch;
  gfloat *direction = scratch + optimizer->scratch_length;
  gfloat *between = scratch + 2 * optimizer->scratch_length;
  gfloat decay = (gfloat) recipe->preconditioner_moment;

  /* the first gradient only serves to find the first bases */
  if (step == 0) {
    for (guint s = 0; s < 2; s++) {
      update_moment (slot->sides + s, s, slot, gradient, decay);
      find_basis (slot->sides + s, scratch);
    }
    return;
  }

  rotate (slot, FALSE, gradient, rotated, between);
  adam (slot, rotated, (gfloat) recipe->first_moment,
      (gfloat) recipe->second_moment, step, rotated);
  rotate (slot, TRUE, rotated, direction, between);
  for (gsize i = 0; i < n; i++)
    parameters[i] -= rate * direction[i];

  for (guint s = 0; s < 2; s++)
    update_moment (slot->sides + s, s, slot, gradient, decay);
  if (step % recipe->basis_interval == 0) {
    gfloat *first = scratch + 3 * optimizer->scratch_length;

    rotate (slot, TRUE, slot->first, first, between);
    for (guint s = 0; s < 2; s++)
      renew_basis (slot, s, scratch);
    rotate (slot, FALSE, first, slot->first, between);
  }
}

/* Shortens a gradient that is recipe->clip times as long as usual. */
static void
clip (SrganOptimizer *optimizer, guint step, gfloat *gradient, gsize n)
{
  gdouble sum = 0, norm, limit;

  for (gsize i = 0; i < n; i++)
    sum += (gdouble) gradient[i] * gradient[i];
  norm = sqrt (sum);
  limit = optimizer->recipe->clip * *optimizer->norm;
  if (step > 0 && norm > limit) {
    gfloat factor = (gfloat) (limit / norm);

    for (gsize i = 0; i < n; i++)
      gradient[i] *= factor;
    norm = limit;
  }
  *optimizer->norm =
      (gfloat) (step == 0 ? norm : *optimizer->norm * .99 + norm * .01);
}

/* A tensor's part of the step. */
static void
step_tensor (gpointer data, guint item, guint worker)
{
  SrganOptimizer *optimizer = data;
  const SrganRecipe *recipe = optimizer->recipe;
  Slot *slot = optimizer->slots + item;
  const SrganParameter *tensor = slot->tensor;
  gsize n = (gsize) tensor->rows * tensor->columns;
  gfloat *scratch =
      optimizer->scratch + 4 * (gsize) worker * optimizer->scratch_length;
  gfloat *values = optimizer->parameters + tensor->offset;
  gfloat *slopes = optimizer->gradient + tensor->offset;
  gfloat rate = (gfloat) (optimizer->share *
                          (tensor->kind == SRGAN_PARAMETER_WEIGHT ||
                                      tensor->kind == SRGAN_PARAMETER_BRANCH
                                  ? recipe->learning_rate
                                  : recipe->other_learning_rate));

  if (tensor->kind == SRGAN_PARAMETER_STATISTIC)
    return;
  if (recipe->weight_decay > 0)
    for (gsize k = 0; k < n; k++)
      slopes[k] += (gfloat) (2 * recipe->weight_decay) * values[k];
  if (slot->sides[0].n > 0) {
    soap (optimizer, slot, rate, values, slopes, scratch);
  } else {
    adam (slot, slopes, (gfloat) recipe->first_moment,
        (gfloat) recipe->other_second_moment, optimizer->step + 1, scratch);
    for (gsize k = 0; k < n; k++)
      values[k] -= rate * scratch[k];
  }
}

void
srgan_optimizer_step (
    SrganOptimizer *optimizer, guint step, gfloat *parameters, gfloat *gradient)
{
  const SrganRecipe *recipe = optimizer->recipe;

  if (recipe->clip > 0) {
    gsize n = 0;

    for (guint i = 0; i < optimizer->n_slots; i++)
      n += (gsize) optimizer->slots[i].tensor->rows *
           optimizer->slots[i].tensor->columns;
    clip (optimizer, step, gradient, n);
  }

  optimizer->step = step;
  optimizer->share = srgan_optimizer_get_rate (recipe, step);
  optimizer->parameters = parameters;
  optimizer->gradient = gradient;
  srgan_workers_run (
      optimizer->workers, step_tensor, optimizer, optimizer->n_slots);
}

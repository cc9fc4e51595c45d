/* convert: Keras' weights without a topology: what their names tell.
 *
 * Model.save_weights() leaves the layers' names in their order, made of their
 * classes: "conv2d", "p_re_lu", "lambda", "add". Of networks whose layers come
 * one after the other, or in residual blocks, that is nearly all; the rest,
 * activations within convolutions and paddings, is what these families of
 * networks have in common. Where two ways are possible, the one is taken that
 * gives flat grey pictures back as they are.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/build.h"
#include "convert/keras.h"
#include "convert/range.h"

#include <string.h>

#define MAX_STEPS 2000

/* --- Steps --------------------------------------------------------------- */

typedef enum {
  STEP_IGNORED, /* inputs, dropout */
  STEP_CONV,
  STEP_TRANSPOSED,
  STEP_PRELU,
  STEP_NORM,
  STEP_RELU,
  STEP_LEAKY_RELU,
  STEP_TANH,
  STEP_SIGMOID,
  STEP_LAMBDA,
  STEP_SHUFFLE,
  STEP_CLIP,
  STEP_ADD,
  STEP_SUBTRACT,
  STEP_UPSAMPLING,
  STEP_UNKNOWN,
} StepKind;

typedef struct {
  StepKind kind;
  const gchar *name;
  SrganKerasPlace place;
  gint64 height, width; /* of a kernel */
  gint64 input, output; /* channels */
  gboolean has_bias;
  gboolean explicit; /* an activation follows as a layer of its own */
} Step;

/* How to read what names do not tell. */
typedef struct {
  SrganNodeKind between; /* activation of convolutions but the last */
  gboolean valid;        /* no padding */
} Reading;

typedef struct {
  SrganHdf5 *file;
  SrganKerasWeights *weights;
  const SrganConvertOptions *options;
  SrganConvertReport *report;
  const gchar *file_name;
  GArray *steps; /* of Step, without those that are ignored */
  guint n_convs, n_transposed, n_adds, n_prelus, n_norms, n_activations;
  guint channels; /* in and out */
  guint scale;
  Reading reading;
} Chain;

static const gchar *const kernel_names[] = {"kernel", "W", NULL};
static const gchar *const bias_names[] = {"bias", "b", NULL};
static const gchar *const slope_names[] = {"alpha", NULL};
static const gchar *const mean_names[] = {"moving_mean", "running_mean", NULL};

static const struct {
  const gchar *part;
  StepKind kind;
} known_names[] = {
    {"input", STEP_IGNORED},
    {"dropout", STEP_IGNORED},
    {"top_level_model_weights", STEP_IGNORED},
    {"leaky_re_lu", STEP_LEAKY_RELU},
    {"leaky_relu", STEP_LEAKY_RELU},
    {"re_lu", STEP_RELU},
    {"relu", STEP_RELU},
    {"tanh", STEP_TANH},
    {"sigmoid", STEP_SIGMOID},
    {"activation", STEP_RELU},
    {"depth_to_space", STEP_SHUFFLE},
    {"DepthToSpace", STEP_SHUFFLE},
    {"pixel_shuffle", STEP_SHUFFLE},
    {"sub_pixel", STEP_SHUFFLE},
    {"subpixel", STEP_SHUFFLE},
    {"lambda", STEP_LAMBDA},
    {"clip", STEP_CLIP},
    {"add", STEP_ADD},
    {"subtract", STEP_SUBTRACT},
    {"up_sampling2d", STEP_UPSAMPLING},
};

static gboolean
has_variable (Chain *self, const Step *step, const gchar *const *names)
{
  SrganConstant *constant =
      srgan_keras_weights_find (self->weights, &step->place, names, 0, NULL);
  gboolean found = constant != NULL;

  srgan_constant_unref (constant);
  return found;
}

/* What layer @name is. */
static void
fill_step (Chain *self, const gchar *name, Step *step)
{
  SrganConstant *kernel;

  memset (step, 0, sizeof *step);
  step->name = name;
  step->place.name = name;
  step->place.class_name = "";
  kernel = srgan_keras_weights_find (
      self->weights, &step->place, kernel_names, 0, NULL);
  if (kernel != NULL) {
    step->kind = STEP_UNKNOWN;
    if (kernel->rank == 4) {
      step->kind =
          strstr (name, "transpose") != NULL || strstr (name, "deconv") != NULL
              ? STEP_TRANSPOSED
              : STEP_CONV;
      step->height = kernel->dimensions[0];
      step->width = kernel->dimensions[1];
      step->input = kernel->dimensions[step->kind == STEP_CONV ? 2 : 3];
      step->output = kernel->dimensions[step->kind == STEP_CONV ? 3 : 2];
      step->has_bias = has_variable (self, step, bias_names);
    }
    srgan_constant_unref (kernel);
    return;
  }
  if (has_variable (self, step, slope_names)) {
    step->kind = STEP_PRELU;
  } else if (has_variable (self, step, mean_names)) {
    step->kind = STEP_NORM;
  } else {
    step->kind = STEP_UNKNOWN;
    for (guint i = 0; i < G_N_ELEMENTS (known_names); i++)
      if (strstr (name, known_names[i].part) != NULL) {
        step->kind = known_names[i].kind;
        break;
      }
  }
}

static Step *
get_step (Chain *self, guint index)
{
  return index < self->steps->len ? &g_array_index (self->steps, Step, index)
                                  : NULL;
}

static gboolean
is_activation (StepKind kind)
{
  return kind == STEP_PRELU || kind == STEP_RELU || kind == STEP_LEAKY_RELU ||
         kind == STEP_TANH || kind == STEP_SIGMOID;
}

/* The convolution after step @index; NULL: none. */
static const Step *
find_next_conv (Chain *self, guint index)
{
  while (++index < self->steps->len) {
    const Step *step = get_step (self, index);

    if (step->kind == STEP_CONV || step->kind == STEP_TRANSPOSED)
      return step;
  }
  return NULL;
}

/* What a shuffle of @channels at step @index makes of them, by what comes
 * after; 0: nothing that fits. */
static gint64
find_factor (Chain *self, guint index, gint64 channels)
{
  const Step *next = find_next_conv (self, index);
  gint64 left = next != NULL ? next->input : self->channels;

  for (gint64 r = 2; r <= 8; r++)
    if (left * r * r == channels)
      return r;
  return 0;
}

static gboolean
refuse (Chain *self, const gchar *why, GError **error)
{
  GString *names = g_string_new (NULL);
  g_autofree gchar *text = NULL;

  for (guint i = 0; i < MIN (self->steps->len, 6); i++) {
    g_autofree gchar *quoted =
        srgan_convert_quote (get_step (self, i)->name, -1);

    g_string_append_printf (names, "%s%s", i > 0 ? ", " : "", quoted);
  }
  if (self->steps->len > 6)
    g_string_append_printf (names, " and %u more", self->steps->len - 6);
  text = g_string_free (names, FALSE);
  return srgan_convert_unsupported (error,
      "it holds weights alone, and how its layers (%s) are connected is not "
      "told by their names: %s. Save the whole model, model.save() instead of "
      "model.save_weights(), and convert that",
      text, why);
}

/* Finds out what the file's layers are. */
static gboolean
fill_steps (Chain *self, GError **error)
{
  g_autoptr (GPtrArray) names =
      srgan_hdf5_get_list (self->file, "", "layer_names");
  gint64 channels = 0;

  if (names == NULL || names->len > MAX_STEPS)
    return srgan_convert_unsupported (error,
        "it holds weights alone, without the layers' names in their order. "
        "Save the whole model, model.save() instead of model.save_weights(), "
        "and convert that");
  for (guint i = 0; i < names->len; i++) {
    Step step;

    fill_step (self, g_ptr_array_index (names, i), &step);
    if (step.kind == STEP_IGNORED)
      continue;
    if (step.kind == STEP_SHUFFLE || step.kind == STEP_LAMBDA)
      channels = 0;
    if (step.kind == STEP_CONV && channels > 0 && step.input != channels &&
        step.output == channels) {
      /* a transposed convolution by another name */
      step.kind = STEP_TRANSPOSED;
      step.output = step.input;
      step.input = channels;
    }
    if (step.kind == STEP_CONV || step.kind == STEP_TRANSPOSED)
      channels = step.output;
    self->n_convs += step.kind == STEP_CONV;
    self->n_transposed += step.kind == STEP_TRANSPOSED;
    self->n_adds += step.kind == STEP_ADD;
    self->n_prelus += step.kind == STEP_PRELU;
    self->n_norms += step.kind == STEP_NORM;
    self->n_activations += is_activation (step.kind);
    if (is_activation (step.kind))
      for (guint j = self->steps->len; j-- > 0;) {
        Step *before = get_step (self, j);

        if (before->kind == STEP_NORM || before->kind == STEP_SHUFFLE ||
            before->kind == STEP_LAMBDA)
          continue;
        before->explicit = TRUE;
        break;
      }
    if (step.kind == STEP_CONV && self->channels == 0)
      self->channels = (guint) CLAMP (step.input, 0, 65536);
    g_array_append_val (self->steps, step);
  }
  if (self->n_convs == 0)
    return refuse (self, "there is no convolution", error);
  if (self->channels != 1 && self->channels != 3)
    return refuse (self, "the first takes no picture", error);
  return TRUE;
}

/* --- Graphs -------------------------------------------------------------- */

typedef struct {
  Chain *chain;
  SrganGraph *graph;
  gchar *value;
  gint64 channels;
  guint n;
} Writer;

/* A node that takes the last value and gives the next. */
static SrganGraphNode *
add_node (Writer *self, SrganNodeKind kind, const gchar *name)
{
  g_autofree gchar *output = g_strdup_printf ("%s\001%u", name, self->n++);
  SrganGraphNode *node = srgan_graph_add_node (self->graph, kind, name);

  node->channels_last = TRUE;
  srgan_graph_node_add_input (node, self->value);
  srgan_graph_node_add_output (node, output);
  g_free (self->value);
  self->value = g_steal_pointer (&output);
  return node;
}

static void
add_scalar (Writer *self, SrganNodeKind kind, const gchar *name, gdouble number)
{
  srgan_graph_node_add_constant (self->graph, add_node (self, kind, name),
      srgan_constant_new_scalar (number));
}

static gboolean
add_variable (Writer *self, SrganGraphNode *node, const Step *step,
    const gchar *const *names, GError **error)
{
  SrganConstant *constant = srgan_keras_weights_find (
      self->chain->weights, &step->place, names, 0, error);

  if (constant == NULL)
    return FALSE;
  srgan_graph_node_add_constant (self->graph, node, constant);
  return TRUE;
}

static gboolean
add_conv (Writer *self, const Step *step, GError **error)
{
  gboolean transposed = step->kind == STEP_TRANSPOSED;
  SrganGraphNode *node = add_node (self,
      transposed ? SRGAN_NODE_TRANSPOSED_CONV : SRGAN_NODE_CONV, step->name);

  if (step->input != self->channels)
    return refuse (
        self->chain, "one takes other channels than come before it", error);
  self->channels = step->output;
  node->weight_order = transposed ? SRGAN_WEIGHT_HWOI : SRGAN_WEIGHT_HWIO;
  node->padding =
      self->chain->reading.valid ? SRGAN_PADS_VALID : SRGAN_PADS_SAME;
  if (transposed)
    node->strides[0] = node->strides[1] = self->chain->scale;
  return add_variable (self, node, step, kernel_names, error) &&
         (!step->has_bias ||
             add_variable (self, node, step, bias_names, error));
}

static gboolean
add_norm (Writer *self, const Step *step, GError **error)
{
  static const gchar *const names[4][4] = {{"gamma", NULL}, {"beta", NULL},
      {"moving_mean", "running_mean", NULL},
      {"moving_variance", "running_std", NULL}};
  SrganGraphNode *node = add_node (self, SRGAN_NODE_BATCH_NORM, step->name);

  node->alpha = 1e-3;
  for (guint i = 0; i < 4; i++) {
    if (i < 2 && !has_variable (self->chain, step, names[i]))
      srgan_graph_node_add_input (node, NULL);
    else if (!add_variable (self, node, step, names[i], error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
add_prelu (Writer *self, const Step *step, GError **error)
{
  SrganConstant *alpha = srgan_keras_weights_find (
      self->chain->weights, &step->place, slope_names, 0, error);
  SrganConstant *vector;
  const gint64 n = self->channels;
  SrganGraphNode *node;
  gfloat *numbers;

  if (alpha == NULL)
    return FALSE;
  if (alpha->n != (gsize) n || alpha->numbers == NULL) {
    srgan_constant_unref (alpha);
    return refuse (self->chain,
        "a PReLU has slopes for other things than channels", error);
  }
  node = add_node (self, SRGAN_NODE_PRELU, step->name);
  node->channels_last = FALSE; /* a vector: of the channels */
  vector = srgan_constant_new_numbers (1, &n, (gsize) n, &numbers);
  memcpy (numbers, alpha->numbers, (gsize) n * sizeof *numbers);
  srgan_constant_unref (alpha);
  srgan_graph_node_add_constant (self->graph, node, vector);
  return TRUE;
}

static gboolean
add_shuffle (Writer *self, guint index, GError **error)
{
  gint64 factor = find_factor (self->chain, index, self->channels);
  SrganGraphNode *node;

  if (factor == 0)
    return refuse (
        self->chain, "a pixel shuffle does not fit its channels", error);
  node = add_node (self, SRGAN_NODE_DEPTH_TO_SPACE,
      get_step (self->chain, MIN (index, self->chain->steps->len - 1))->name);
  node->block = factor;
  self->channels /= factor * factor;
  return TRUE;
}

static void
add_sum (Writer *self, const gchar *name, const gchar *other)
{
  srgan_graph_node_add_input (add_node (self, SRGAN_NODE_ADD, name), other);
}

/* An activation that is a step of its own. */
static gboolean
add_activation (Writer *self, const Step *step, GError **error)
{
  switch (step->kind) {
  case STEP_PRELU:
    return add_prelu (self, step, error);
  case STEP_LEAKY_RELU:
    add_node (self, SRGAN_NODE_LEAKY_RELU, step->name)->alpha = .3;
    return TRUE;
  case STEP_TANH:
    add_node (self, SRGAN_NODE_TANH, step->name);
    return TRUE;
  case STEP_SIGMOID:
    add_node (self, SRGAN_NODE_SIGMOID, step->name);
    return TRUE;
  default:
    /* "activation" says no more */
    add_node (self,
        strstr (step->name, "activation") != NULL ? self->chain->reading.between
                                                  : SRGAN_NODE_RELU,
        step->name);
    return TRUE;
  }
}

static void
start_graph (Writer *self)
{
  const gint64 dimensions[4] = {0, 0, 0, self->chain->channels};

  srgan_graph_add_input (self->graph, "input", 4, dimensions, TRUE);
  self->value = g_strdup ("input");
  self->channels = self->chain->channels;
}

/* github.com/krasserm/super-resolution, whose weights many have: layers that
 * enlarge are called "conv2d_1_scale_2" in its EDSR. */
static gboolean
has_scale_names (Chain *self)
{
  for (guint i = 0; i < self->steps->len; i++)
    if (strstr (get_step (self, i)->name, "_scale_") != NULL)
      return TRUE;
  return FALSE;
}

/* Its pictures are 0 .. 255, less the mean of DIV2K's, over 127.5: here from
 * and to 0 .. 1. */
static void
add_mean (Writer *self, gdouble sign)
{
  static const gdouble means[3] = {.4488, .4371, .404};
  const gint64 n = 3;
  gfloat *numbers;
  SrganConstant *constant = srgan_constant_new_numbers (1, &n, 3, &numbers);

  for (guint c = 0; c < 3; c++)
    numbers[c] = (gfloat) (2. * sign * means[c]);
  srgan_graph_node_add_constant (
      self->graph, add_node (self, SRGAN_NODE_ADD, "mean"), constant);
}

/* Of residual networks: the last sum is with what the first block got, and
 * those before with what the block before gave. */
static gboolean
is_residual (Chain *self)
{
  return self->n_adds >= 2 && self->n_transposed == 0;
}

static gboolean
write_steps (Writer *self, GError **error)
{
  Chain *chain = self->chain;
  g_autofree gchar *trunk = NULL;
  g_autofree gchar *block = NULL;
  guint n_convs = 0, n_adds = 0, in_block = 0;
  gboolean shuffled = FALSE;
  gboolean centred = is_residual (chain) && chain->n_norms == 0 &&
                     chain->channels == 3 && has_scale_names (chain);

  start_graph (self);
  if (centred) {
    add_scalar (self, SRGAN_NODE_MULTIPLY, "range", 2.);
    add_mean (self, -1.);
  }
  for (guint i = 0; i < chain->steps->len; i++) {
    const Step *step = get_step (chain, i);
    const Step *next = get_step (chain, i + 1);

    switch (step->kind) {
    case STEP_CONV:
    case STEP_TRANSPOSED:
      if (!add_conv (self, step, error))
        return FALSE;
      n_convs++;
      in_block++;
      if (is_residual (chain)) {
        /* within convolutions: EDSR's blocks have one, after the first */
        if (chain->n_activations == 0 && n_convs > 1 &&
            n_adds + 1 < chain->n_adds && in_block == 1)
          add_node (self, SRGAN_NODE_RELU, step->name);
        if (n_convs == 1 && !step->explicit) {
          trunk = g_strdup (self->value);
          block = g_strdup (self->value);
          in_block = 0;
        }
      } else if (chain->n_activations == 0 &&
                 find_next_conv (chain, i) != NULL) {
        add_node (self, chain->reading.between, step->name);
      }
      break;
    case STEP_PRELU:
    case STEP_RELU:
    case STEP_LEAKY_RELU:
    case STEP_TANH:
    case STEP_SIGMOID:
      if (!add_activation (self, step, error))
        return FALSE;
      if (is_residual (chain) && trunk == NULL && n_convs == 1) {
        trunk = g_strdup (self->value);
        block = g_strdup (self->value);
        in_block = 0;
      }
      break;
    case STEP_NORM:
      if (!add_norm (self, step, error))
        return FALSE;
      break;
    case STEP_SHUFFLE:
    case STEP_LAMBDA:
      if (find_factor (chain, i, self->channels) > 0) {
        if (!add_shuffle (self, i, error))
          return FALSE;
        shuffled = TRUE;
      } else if (n_convs == 0 || next == NULL || next->kind == STEP_CLIP) {
        /* what brings a picture into its range */
      } else if (is_residual (chain) && chain->n_norms == 0 && in_block == 2) {
        /* EDSR's residual scaling */
        add_scalar (self, SRGAN_NODE_MULTIPLY, step->name, .1);
      } else {
        return refuse (chain, "what a Lambda does is not known", error);
      }
      break;
    case STEP_CLIP: {
      SrganGraphNode *node = add_node (self, SRGAN_NODE_CLIP, step->name);

      srgan_graph_node_add_constant (
          self->graph, node, srgan_constant_new_scalar (0.));
      srgan_graph_node_add_constant (
          self->graph, node, srgan_constant_new_scalar (1.));
      break;
    }
    case STEP_ADD:
      n_adds++;
      if (is_residual (chain)) {
        if (block == NULL || in_block != (n_adds == chain->n_adds ? 1 : 2))
          return refuse (
              chain, "its sums are not those of residual blocks", error);
        add_sum (self, step->name, n_adds == chain->n_adds ? trunk : block);
        g_free (block);
        block = g_strdup (self->value);
        in_block = 0;
      } else if (find_next_conv (chain, i) == NULL &&
                 self->channels == chain->channels && !shuffled &&
                 chain->n_transposed == 0) {
        add_sum (self, step->name, "input");
      } else {
        return refuse (chain, "what is added to what is not known", error);
      }
      break;
    case STEP_SUBTRACT: {
      SrganGraphNode *node;

      if (find_next_conv (chain, i) != NULL || shuffled ||
          self->channels != chain->channels)
        return refuse (chain, "what is taken from what is not known", error);
      /* the network finds the noise */
      node = add_node (self, SRGAN_NODE_SUBTRACT, step->name);
      g_ptr_array_insert (node->inputs, 0, g_strdup ("input"));
      break;
    }
    case STEP_UPSAMPLING: {
      const gint64 factors[2] = {2, 2};
      SrganGraphNode *node = add_node (self, SRGAN_NODE_RESIZE, step->name);

      srgan_graph_node_add_constant (
          self->graph, node, srgan_constant_new_vector (factors, 2));
      node->filter = SRGAN_FILTER_NEAREST;
      break;
    }
    default:
      return refuse (chain, "one is of a kind that is not known", error);
    }
  }
  /* a shuffle may be no layer */
  if (self->channels != chain->channels &&
      !add_shuffle (self, chain->steps->len, error))
    return FALSE;
  if (centred) {
    add_mean (self, 1.);
    add_scalar (self, SRGAN_NODE_MULTIPLY, "range", .5);
    self->graph->input_high = self->graph->output_high = 1.;
  }
  /* Ledig et al. 2017: -1 .. 1 come out; what goes in, Lambdas tell */
  if (is_residual (chain) && chain->n_norms > 0) {
    add_node (self, SRGAN_NODE_TANH, "tanh");
    if (get_step (chain, 0)->kind == STEP_LAMBDA) {
      self->graph->input_high = self->graph->output_high = 1.;
      self->graph->output_low = -1.;
    }
  }
  srgan_graph_add_output (self->graph, self->value);
  return TRUE;
}

static gboolean
make_graph (SrganGraph *graph, gpointer data, GError **error)
{
  Writer self = {.chain = data, .graph = graph};
  gboolean done = write_steps (&self, error);

  g_free (self.value);
  return done;
}

/* --- The network --------------------------------------------------------- */

/* "9-1-5" */
static gchar *
list_kernels (Chain *self)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < self->steps->len; i++) {
    const Step *step = get_step (self, i);

    if (step->kind == STEP_CONV || step->kind == STEP_TRANSPOSED)
      g_string_append_printf (
          text, "%s%" G_GINT64_FORMAT, text->len > 0 ? "-" : "", step->height);
  }
  return g_string_free (text, FALSE);
}

static void
name_network (Chain *self, gboolean shuffles)
{
  const Step *first = find_next_conv (self, G_MAXUINT);
  const Step *second = first;
  g_autofree gchar *kernels = list_kernels (self);
  guint n = self->n_convs + self->n_transposed;

  for (guint i = 0; i < self->steps->len && second == first; i++)
    if (get_step (self, i) == first && find_next_conv (self, i) != NULL)
      second = find_next_conv (self, i);
  g_free (self->report->architecture);
  if (is_residual (self))
    self->report->architecture =
        g_strdup_printf ("%s, %" G_GINT64_FORMAT " channels, %u blocks",
            self->n_norms > 0 ? "SRResNet (SRGAN's generator)" : "EDSR",
            first->output, self->n_adds - 1);
  else if (self->n_transposed > 0)
    self->report->architecture =
        g_strdup_printf ("FSRCNN, %" G_GINT64_FORMAT " and %" G_GINT64_FORMAT
                         " channels, %u layers",
            first->output, second->output, n);
  else if (shuffles)
    self->report->architecture =
        g_strdup_printf ("ESPCN, %" G_GINT64_FORMAT " channels, kernels %s",
            first->output, kernels);
  else if (n == 3)
    self->report->architecture = g_strdup_printf ("SRCNN %s", kernels);
  else
    self->report->architecture =
        g_strdup_printf ("%s, %" G_GINT64_FORMAT " channels, %u convolutions",
            self->n_norms > 0 ? "DnCNN" : "VDSR", first->output, n);
}

/* Whether @reading gives greys back better than the chain's own. */
static gdouble
try_reading (Chain *self, Reading reading)
{
  const SrganConvertOptions options = {.range = SRGAN_RANGE_ONE};
  g_auto (SrganConvertReport) report = {0};
  g_autoptr (SrganGraph) graph = srgan_graph_new ("");
  g_autoptr (SrganNetwork) network = NULL;
  Reading own = self->reading;

  self->reading = reading;
  if (make_graph (graph, self, NULL))
    network = srgan_graph_build (graph, &options, &report, NULL);
  self->reading = own;
  return network != NULL ? srgan_range_try (network) : G_MAXDOUBLE;
}

static void
choose_reading (Chain *self, gboolean shuffles)
{
  Reading other;
  gdouble first, second;

  self->reading.between = SRGAN_NODE_RELU;
  /* as its authors have it (Shi et al. 2016); longer ones have ReLU */
  if (shuffles && self->n_convs == 3)
    self->reading.between = SRGAN_NODE_TANH;
  /* SRCNN by itself, whose 9-1-5 eat the edge (Dong et al. 2014) */
  self->reading.valid = !shuffles && self->n_convs == 3 &&
                        self->n_transposed == 0 && self->n_adds == 0 &&
                        !is_residual (self);
  if (self->n_activations > 0 || is_residual (self))
    return;
  other = self->reading;
  other.between = self->reading.between == SRGAN_NODE_RELU ? SRGAN_NODE_TANH
                                                           : SRGAN_NODE_RELU;
  first = try_reading (self, self->reading);
  second = try_reading (self, other);
  if (second < .06 && second < .35 * first)
    self->reading = other;
  srgan_report_remark (self->report,
      "its activations are not in the file: %s, %s",
      self->reading.between == SRGAN_NODE_RELU ? "ReLU" : "tanh",
      MIN (first, second) < .06 ? "with which flat greys come out as they are"
                                : "as is usual");
}

SrganNetwork *
srgan_keras_read_weights (SrganHdf5 *file, const gchar *file_name,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  g_autoptr (SrganKerasWeights) weights =
      srgan_keras_weights_new_for_file (file, "");
  g_autoptr (GArray) steps = g_array_new (FALSE, FALSE, sizeof (Step));
  Chain self = {.file = file,
      .weights = weights,
      .options = options,
      .report = report,
      .file_name = file_name,
      .steps = steps,
      .scale = 1};
  gboolean shuffles = FALSE;
  gint64 last = 0;

  if (!fill_steps (&self, error))
    return NULL;
  for (guint i = 0; i < steps->len; i++) {
    const Step *step = get_step (&self, i);

    shuffles = shuffles || step->kind == STEP_SHUFFLE;
    if (step->kind == STEP_CONV)
      last = step->output;
  }
  shuffles = shuffles || (self.n_transposed == 0 && last != self.channels);
  if (self.n_transposed > 0) {
    g_autoptr (SrganBuild) build =
        srgan_build_new (file->tensors, file_name, options, report);

    self.scale = srgan_build_guess_scale (build);
    if (build->error != NULL) {
      g_propagate_error (error, g_steal_pointer (&build->error));
      return NULL;
    }
  }
  choose_reading (&self, shuffles);
  name_network (&self, shuffles);
  return srgan_range_build (
      file_name, make_graph, &self, options, report, error);
}

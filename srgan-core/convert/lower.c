/* convert: what a graph computes, as layers of a network.
 *
 * The walk: nodes are worked out when the output needs them, each by the
 * function that the table names, of whose subject there is a file: see lower.h.
 *
 * Sizes are worked out for one size of picture, the one that the file names or
 * one of ours; a graph for one size is thus taken for any.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/lower.h"

/* The size of picture where the file leaves it open: different, and both
 * divisible by what networks divide sizes by. */
#define HEIGHT 480
#define WIDTH 672

/* --- The table ------------------------------------------------------------ */

static SrganValue *(*const lower_node[SRGAN_N_NODES]) (SrganLowering *) = {
    [SRGAN_NODE_IDENTITY] = srgan_lower_identity,
    [SRGAN_NODE_CAST] = srgan_lower_cast,
    [SRGAN_NODE_QUANTISE] = srgan_lower_quantise,
    [SRGAN_NODE_CONV] = srgan_lower_conv,
    [SRGAN_NODE_TRANSPOSED_CONV] = srgan_lower_conv,
    [SRGAN_NODE_MATMUL] = srgan_lower_matmul,
    [SRGAN_NODE_BATCH_NORM] = srgan_lower_batch_norm,
    [SRGAN_NODE_ADD] = srgan_lower_many,
    [SRGAN_NODE_SUBTRACT] = srgan_lower_two,
    [SRGAN_NODE_MULTIPLY] = srgan_lower_many,
    [SRGAN_NODE_DIVIDE] = srgan_lower_two,
    [SRGAN_NODE_MINIMUM] = srgan_lower_many,
    [SRGAN_NODE_MAXIMUM] = srgan_lower_many,
    [SRGAN_NODE_POWER] = srgan_lower_two,
    [SRGAN_NODE_MODULO] = srgan_lower_two,
    [SRGAN_NODE_EQUAL] = srgan_lower_two,
    [SRGAN_NODE_WHERE] = srgan_lower_where,
    [SRGAN_NODE_NEGATE] = srgan_lower_one,
    [SRGAN_NODE_ABSOLUTE] = srgan_lower_one,
    [SRGAN_NODE_SQRT] = srgan_lower_one,
    [SRGAN_NODE_RECIPROCAL_SQRT] = srgan_lower_one,
    [SRGAN_NODE_RECIPROCAL] = srgan_lower_one,
    [SRGAN_NODE_SQUARE] = srgan_lower_one,
    [SRGAN_NODE_EXP] = srgan_lower_one,
    [SRGAN_NODE_FLOOR] = srgan_lower_one,
    [SRGAN_NODE_CEIL] = srgan_lower_one,
    [SRGAN_NODE_ROUND] = srgan_lower_one,
    [SRGAN_NODE_RELU] = srgan_lower_one,
    [SRGAN_NODE_LEAKY_RELU] = srgan_lower_one,
    [SRGAN_NODE_PRELU] = srgan_lower_prelu,
    [SRGAN_NODE_CLIP] = srgan_lower_clip,
    [SRGAN_NODE_SIGMOID] = srgan_lower_one,
    [SRGAN_NODE_TANH] = srgan_lower_one,
    [SRGAN_NODE_SILU] = srgan_lower_one,
    [SRGAN_NODE_HARD_SIGMOID] = srgan_lower_hard,
    [SRGAN_NODE_HARD_SWISH] = srgan_lower_hard,
    [SRGAN_NODE_CONCAT] = srgan_lower_concat,
    [SRGAN_NODE_STACK] = srgan_lower_concat,
    [SRGAN_NODE_SLICE] = srgan_lower_slice,
    [SRGAN_NODE_STRIDED_SLICE] = srgan_lower_strided_slice,
    [SRGAN_NODE_SLICE_SIZE] = srgan_lower_slice_size,
    [SRGAN_NODE_GATHER] = srgan_lower_gather,
    [SRGAN_NODE_TRANSPOSE] = srgan_lower_transpose,
    [SRGAN_NODE_RESHAPE] = srgan_lower_reshape,
    [SRGAN_NODE_FLATTEN] = srgan_lower_axes,
    [SRGAN_NODE_SQUEEZE] = srgan_lower_axes,
    [SRGAN_NODE_UNSQUEEZE] = srgan_lower_axes,
    [SRGAN_NODE_EXPAND] = srgan_lower_repeats,
    [SRGAN_NODE_TILE] = srgan_lower_repeats,
    [SRGAN_NODE_PAD] = srgan_lower_pad,
    [SRGAN_NODE_RESIZE] = srgan_lower_resize,
    [SRGAN_NODE_DEPTH_TO_SPACE] = srgan_lower_depth_to_space,
    [SRGAN_NODE_SPACE_TO_DEPTH] = srgan_lower_depth_to_space,
    [SRGAN_NODE_MAX_POOL] = srgan_lower_pool,
    [SRGAN_NODE_AVERAGE_POOL] = srgan_lower_pool,
    [SRGAN_NODE_MEAN] = srgan_lower_mean,
    [SRGAN_NODE_SUM] = srgan_lower_mean,
    [SRGAN_NODE_SHAPE] = srgan_lower_shape,
    [SRGAN_NODE_FILL] = srgan_lower_fill,
    [SRGAN_NODE_RANGE] = srgan_lower_range,
};

/* --- The whole ------------------------------------------------------------ */

/* The channels that the input must have where the file does not say: those of
 * the convolution that reads it. */
static gint64
guess_channels (SrganGraph *graph, const gchar *input)
{
  for (guint i = 0; i < graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);
    SrganConstant *weight;

    if (node->kind != SRGAN_NODE_CONV || node->inputs->len < 2 ||
        g_strcmp0 (g_ptr_array_index (node->inputs, 0), input) != 0 ||
        g_ptr_array_index (node->inputs, 1) == NULL)
      continue;
    weight = g_hash_table_lookup (
        graph->constants, g_ptr_array_index (node->inputs, 1));
    if (weight != NULL && weight->rank == 4 && !node->depthwise)
      return weight->dimensions[srgan_weight_axes[node->weight_order].in] *
             node->groups;
  }
  return 3;
}

static gboolean
fail_input (
    SrganLowering *self, const SrganGraphInput *input, const gchar *text)
{
  g_autofree gchar *name = g_strescape (input->name, NULL);

  g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
      "input '%.60s': %s", name, text);
  return FALSE;
}

/* Makes @input the network's. */
static gboolean
start (SrganLowering *self, const SrganGraphInput *input)
{
  gint rank = (gint) input->rank;
  gint channels_at, height_at;
  gint64 channels, height, width;
  SrganValue *value;

  if (self->draft != NULL)
    return fail_input (self, input,
        "the network needs a second input beside the picture; one is "
        "supported");
  if (rank != 3 && rank != 4)
    return fail_input (self, input, "it is no picture: 3 or 4 axes are needed");
  channels_at = input->channels_last ? rank - 1 : rank - 3;
  height_at = input->channels_last ? rank - 3 : rank - 2;
  channels = input->dimensions[channels_at];
  if (channels <= 0)
    channels = guess_channels (self->graph, input->name);
  if (channels != 1 && channels != 3)
    return fail_input (self, input,
        "pictures of 1 or 3 channels are supported, this has another number");
  height = input->dimensions[height_at];
  width = input->dimensions[height_at + 1];
  /* too small to tell anything from, or nonsense: any size will do */
  if (height < 8 || height > 16384)
    height = HEIGHT;
  if (width < 8 || width > 16384)
    width = WIDTH;
  self->draft =
      srgan_draft_new (self->graph->name, (guint) channels, height, width);
  self->draft->features = self->graph->features;
  value = srgan_lowering_new_view (self, SRGAN_INPUT_NETWORK, input->rank,
      channels_at, height_at, height_at + 1);
  g_hash_table_replace (self->values, g_strdup (input->name), value);
  return TRUE;
}

/* Works out @node, whose inputs are known. */
static gboolean
lower (SrganLowering *self, SrganGraphNode *node)
{
  SrganValue *value;

  self->node = node;
  if (node->kind == SRGAN_NODE_SPLIT)
    return srgan_lower_split (self);
  if (lower_node[node->kind] == NULL || node->outputs->len < 1)
    return srgan_lowering_refuse (self, "no such operation");
  if (self->draft == NULL) {
    /* a place for layers is needed by what has a map only; constants come
     * before the picture in many files */
    for (guint i = 0; i < node->inputs->len; i++) {
      SrganValue *input = srgan_lowering_get_input (self, i);

      if (input != NULL && input->constant == NULL)
        return srgan_lowering_refuse (self, "a map without a picture");
    }
  } else if (self->draft->layers->len > SRGAN_DRAFT_MAX_LAYERS) {
    return srgan_lowering_refuse (
        self, "more than %u layers", SRGAN_DRAFT_MAX_LAYERS);
  }
  value = lower_node[node->kind](self);
  if (value == NULL)
    return srgan_lowering_refuse (self, "it cannot be converted");
  self->n_constants +=
      value->constant != NULL && node->kind != SRGAN_NODE_IDENTITY;
  g_hash_table_replace (
      self->values, g_strdup (g_ptr_array_index (node->outputs, 0)), value);
  return TRUE;
}

/* Lets go of what nothing else needs: large files' weights lie in memory once.
 */
static void
release_inputs (SrganLowering *self, SrganGraphNode *node)
{
  for (guint i = 0; i < node->inputs->len; i++) {
    const gchar *name = g_ptr_array_index (node->inputs, i);
    guint uses;

    if (name == NULL)
      continue;
    uses = GPOINTER_TO_UINT (g_hash_table_lookup (self->uses, name));
    if (uses > 1) {
      g_hash_table_insert (
          self->uses, (gpointer) name, GUINT_TO_POINTER (uses - 1));
    } else {
      g_hash_table_remove (self->values, name);
      g_hash_table_remove (self->graph->constants, name);
    }
  }
}

static void
count_use (SrganLowering *self, const gchar *name)
{
  guint uses;

  if (name == NULL)
    return;
  uses = GPOINTER_TO_UINT (g_hash_table_lookup (self->uses, name));
  g_hash_table_insert (
      self->uses, (gpointer) name, GUINT_TO_POINTER (uses + 1));
}

typedef struct {
  SrganGraphNode *node;
  guint next; /* input to look at */
} Frame;

/* Gets the value of @name and all that it needs, without recursion: graphs may
 * be as deep as they are long. */
static gboolean
evaluate (SrganLowering *self, const gchar *name, GHashTable *open)
{
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Frame));

  for (;;) {
    if (name != NULL && !g_hash_table_contains (self->values, name)) {
      SrganConstant *constant =
          g_hash_table_lookup (self->graph->constants, name);
      SrganGraphNode *node = g_hash_table_lookup (self->graph->makers, name);
      const gchar *unknown = g_hash_table_lookup (self->graph->unknown, name);
      g_autofree gchar *shown = g_strescape (name, NULL);
      gboolean found = FALSE;

      for (guint i = 0; i < self->graph->inputs->len; i++) {
        SrganGraphInput *input = g_ptr_array_index (self->graph->inputs, i);

        if (constant == NULL && g_str_equal (input->name, name)) {
          if (!start (self, input))
            return FALSE;
          found = TRUE;
          break;
        }
      }
      if (found) {
        /* done */
      } else if (constant != NULL) {
        g_hash_table_replace (self->values, g_strdup (name),
            srgan_value_new_constant (srgan_constant_ref (constant)));
      } else if (node != NULL) {
        Frame frame = {node, 0};

        if (!g_hash_table_add (open, node)) {
          g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
              "'%.60s' is made of itself", shown);
          return FALSE;
        }
        g_array_append_val (stack, frame);
      } else {
        g_set_error (self->error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
            unknown != NULL ? "operation %s is not supported"
                            : "nothing makes the value '%.60s'",
            unknown != NULL ? unknown : shown);
        return FALSE;
      }
    }
    if (stack->len == 0)
      return TRUE;
    {
      Frame *top = &g_array_index (stack, Frame, stack->len - 1);

      if (top->next < top->node->inputs->len) {
        name = g_ptr_array_index (top->node->inputs, top->next++);
        continue;
      }
      if (!lower (self, top->node))
        return FALSE;
      release_inputs (self, top->node);
      g_array_set_size (stack, stack->len - 1);
      name = NULL;
    }
  }
}

/* Of a graph of features: what comes after its last map, a mean and a verdict
 * say, is no part of the network; nor is what is not supported. */
static void
find_last_map (SrganLowering *self, GHashTable *open)
{
  SrganGraph *graph = self->graph;
  g_autofree gchar *last = NULL;

  for (guint i = 0; i < graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);
    const gchar *name;
    SrganValue *value;

    if (node->outputs->len == 0)
      continue;
    name = g_ptr_array_index (node->outputs, 0);
    if (!evaluate (self, name, open))
      break;
    value = g_hash_table_lookup (self->values, name);
    if (value == NULL || value->constant != NULL)
      continue;
    if (srgan_draft_is_single (self->draft, value->layer))
      break;
    g_free (last);
    last = g_strdup (name);
  }
  if (last == NULL)
    return;
  g_clear_error (self->error);
  g_ptr_array_set_size (graph->outputs, 0);
  srgan_graph_add_output (graph, last);
}

SrganDraft *
srgan_graph_lower (SrganGraph *graph, GError **error)
{
  SrganLowering self = {.graph = graph};
  g_autoptr (GHashTable) open = g_hash_table_new (NULL, NULL);
  g_autoptr (GError) first_error = NULL;
  g_autoptr (GError) own_error = NULL;
  SrganGraphNode end = {.name = (gchar *) "the output"};
  gint best = -2;
  gint64 best_height = 0;

  if (graph->nodes->len > SRGAN_GRAPH_MAX_NODES) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
        "a graph of more than %u nodes", SRGAN_GRAPH_MAX_NODES);
    return NULL;
  }
  srgan_graph_index (graph);
  self.error = &own_error;
  self.values =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, srgan_value_free);
  self.uses = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);

    for (guint j = 0; j < node->inputs->len; j++)
      count_use (&self, g_ptr_array_index (node->inputs, j));
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    count_use (&self, g_ptr_array_index (graph->outputs, i));
  if (graph->features) {
    /* whichever is the last map must stay known */
    for (guint i = 0; i < graph->nodes->len; i++) {
      SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);

      for (guint j = 0; j < node->outputs->len; j++)
        count_use (&self, g_ptr_array_index (node->outputs, j));
    }
    find_last_map (&self, open);
  }
  for (guint i = 0; i < graph->outputs->len; i++) {
    const gchar *name = g_ptr_array_index (graph->outputs, i);
    SrganValue *value;

    /* of several: the largest picture with the input's channels */
    if (evaluate (&self, name, open)) {
      value = g_hash_table_lookup (self.values, name);
      self.node = &end;
      if (value != NULL && value->constant == NULL) {
        SrganValue *map = NULL;
        SrganRoles roles;

        srgan_lowering_settle (&self, value);
        map = srgan_value_copy (
            value, srgan_lowering_get_channels (&self, value));
        if (srgan_lowering_materialise (&self, map, &roles)) {
          gint64 height = srgan_draft_get_height (self.draft, map->layer);

          if (!srgan_draft_is_single (self.draft, map->layer) &&
              height > best_height &&
              (best < -1 || srgan_lowering_get_channels (&self, map) ==
                                self.draft->channels)) {
            best = map->layer;
            best_height = height;
          }
        }
        srgan_value_free (map);
      }
    }
    if (own_error != NULL) {
      if (first_error == NULL)
        first_error = g_steal_pointer (&own_error);
      g_clear_error (&own_error);
    }
  }
  g_hash_table_unref (self.values);
  g_hash_table_unref (self.uses);
  if (best < 0) {
    srgan_draft_free (self.draft);
    if (first_error != NULL)
      g_propagate_error (error, g_steal_pointer (&first_error));
    else
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "no output is made of the picture");
    return NULL;
  }
  for (gint i = 0; i <= best; i++)
    if (srgan_draft_get (self.draft, i)->n_pixels > 0.) {
      srgan_draft_free (self.draft);
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_UNSUPPORTED,
          "a sum of all pixels that is not divided by their number is not "
          "supported: it would depend on the picture's size");
      return NULL;
    }
  self.draft->n_constants = self.n_constants;
  /* what came after it leads nowhere */
  g_ptr_array_set_size (self.draft->layers, (guint) best + 1);
  srgan_draft_simplify (self.draft);
  return self.draft;
}

/* convert: a file's graph: its values, constants and nodes.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/graph.h"

#include <string.h>

/* --- Constants ----------------------------------------------------------- */

gboolean
srgan_constant_count (guint rank, const gint64 *dimensions, guint64 limit,
    gsize *n, GError **error)
{
  guint64 product = 1;

  if (rank > SRGAN_GRAPH_MAX_RANK) {
    g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_CORRUPT,
        "a tensor of %u dimensions; %u may be", rank, SRGAN_GRAPH_MAX_RANK);
    return FALSE;
  }
  for (guint i = 0; i < rank; i++) {
    if (dimensions[i] < 0 ||
        (dimensions[i] > 0 && product > limit / (guint64) dimensions[i])) {
      g_set_error (error, SRGAN_ERROR, SRGAN_ERROR_TOO_LARGE,
          "a tensor whose dimension %u is %" G_GINT64_FORMAT
          ": more than %" G_GUINT64_FORMAT " numbers",
          i, dimensions[i], limit);
      return FALSE;
    }
    product *= (guint64) dimensions[i];
  }
  *n = (gsize) product;
  return TRUE;
}

static SrganConstant *
new_constant (guint rank, const gint64 *dimensions, gsize n)
{
  SrganConstant *constant = g_new0 (SrganConstant, 1);

  constant->n_references = 1;
  constant->rank = rank;
  for (guint i = 0; i < rank; i++)
    constant->dimensions[i] = dimensions[i];
  constant->n = n;
  return constant;
}

SrganConstant *
srgan_constant_new_numbers (
    guint rank, const gint64 *dimensions, gsize n, gfloat **numbers)
{
  SrganConstant *constant = new_constant (rank, dimensions, n);

  *numbers = g_new0 (gfloat, MAX (n, 1));
  constant->numbers = *numbers;
  return constant;
}

SrganConstant *
srgan_constant_new_integers (
    guint rank, const gint64 *dimensions, gsize n, gint64 **integers)
{
  SrganConstant *constant = new_constant (rank, dimensions, n);

  *integers = g_new0 (gint64, MAX (n, 1));
  constant->integers = *integers;
  return constant;
}

SrganConstant *
srgan_constant_new_vector (const gint64 *integers, gsize n)
{
  gint64 dimension = (gint64) n;
  gint64 *copy;
  SrganConstant *constant =
      srgan_constant_new_integers (1, &dimension, n, &copy);

  for (gsize i = 0; i < n; i++)
    copy[i] = integers[i];
  return constant;
}

SrganConstant *
srgan_constant_new_scalar (gdouble number)
{
  gfloat *numbers;
  SrganConstant *constant = srgan_constant_new_numbers (0, NULL, 1, &numbers);

  numbers[0] = (gfloat) number;
  return constant;
}

SrganConstant *
srgan_constant_new_shared (guint rank, const gint64 *dimensions, gsize n,
    const gfloat *numbers, GBytes *owner)
{
  SrganConstant *constant = new_constant (rank, dimensions, n);

  constant->numbers = numbers;
  constant->owner = g_bytes_ref (owner);
  return constant;
}

SrganConstant *
srgan_constant_ref (SrganConstant *constant)
{
  constant->n_references++;
  return constant;
}

void
srgan_constant_unref (SrganConstant *constant)
{
  if (constant == NULL || --constant->n_references > 0)
    return;
  if (constant->owner != NULL) {
    g_bytes_unref (constant->owner);
  } else {
    g_free ((gpointer) constant->numbers);
    g_free ((gpointer) constant->integers);
  }
  g_free (constant);
}

gdouble
srgan_constant_get (const SrganConstant *constant, gsize index)
{
  return constant->integers != NULL ? (gdouble) constant->integers[index]
                                    : (gdouble) constant->numbers[index];
}

/* --- Graphs -------------------------------------------------------------- */

static void
free_node (gpointer data)
{
  SrganGraphNode *node = data;

  g_free (node->name);
  g_ptr_array_unref (node->inputs);
  g_ptr_array_unref (node->outputs);
  g_free (node);
}

static void
free_input (gpointer data)
{
  SrganGraphInput *input = data;

  g_free (input->name);
  g_free (input);
}

static void
unref_constant (gpointer data)
{
  srgan_constant_unref (data);
}

SrganGraph *
srgan_graph_new (const gchar *name)
{
  SrganGraph *graph = g_new0 (SrganGraph, 1);

  graph->name = g_strdup (name);
  graph->inputs = g_ptr_array_new_with_free_func (free_input);
  graph->nodes = g_ptr_array_new_with_free_func (free_node);
  graph->outputs = g_ptr_array_new_with_free_func (g_free);
  graph->constants =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, unref_constant);
  graph->makers = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  graph->unknown =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return graph;
}

void
srgan_graph_free (SrganGraph *graph)
{
  if (graph == NULL)
    return;
  g_free (graph->name);
  g_ptr_array_unref (graph->inputs);
  g_ptr_array_unref (graph->nodes);
  g_ptr_array_unref (graph->outputs);
  g_hash_table_unref (graph->constants);
  g_hash_table_unref (graph->makers);
  g_hash_table_unref (graph->unknown);
  g_free (graph);
}

void
srgan_graph_add_input (SrganGraph *graph, const gchar *name, guint rank,
    const gint64 *dimensions, gboolean channels_last)
{
  SrganGraphInput *input = g_new0 (SrganGraphInput, 1);

  input->name = g_strdup (name);
  input->rank = MIN (rank, SRGAN_GRAPH_MAX_RANK);
  for (guint i = 0; i < input->rank; i++)
    input->dimensions[i] = dimensions[i];
  input->channels_last = channels_last;
  g_ptr_array_add (graph->inputs, input);
}

void
srgan_graph_add_constant (
    SrganGraph *graph, const gchar *name, SrganConstant *constant)
{
  g_hash_table_replace (graph->constants, g_strdup (name), constant);
}

gboolean
srgan_graph_has_value (SrganGraph *graph, const gchar *name)
{
  if (g_hash_table_contains (graph->constants, name) ||
      g_hash_table_contains (graph->makers, name) ||
      g_hash_table_contains (graph->unknown, name))
    return TRUE;
  for (guint i = 0; i < graph->inputs->len; i++) {
    SrganGraphInput *input = g_ptr_array_index (graph->inputs, i);

    if (g_str_equal (input->name, name))
      return TRUE;
  }
  return FALSE;
}

SrganGraphNode *
srgan_graph_add_node (SrganGraph *graph, SrganNodeKind kind, const gchar *name)
{
  SrganGraphNode *node = g_new0 (SrganGraphNode, 1);

  node->kind = kind;
  node->name = g_strdup (name);
  node->inputs = g_ptr_array_new_with_free_func (g_free);
  node->outputs = g_ptr_array_new_with_free_func (g_free);
  node->groups = 1;
  node->block = 1;
  node->last = G_MAXINT64;
  node->cubic_a = -.75;
  for (guint i = 0; i < 2; i++)
    node->kernel[i] = node->strides[i] = node->dilations[i] = 1;
  g_ptr_array_add (graph->nodes, node);
  return node;
}

void
srgan_graph_node_add_input (SrganGraphNode *node, const gchar *value)
{
  gboolean absent = value == NULL || *value == '\0';

  g_ptr_array_add (node->inputs, absent ? NULL : g_strdup (value));
}

void
srgan_graph_node_add_output (SrganGraphNode *node, const gchar *value)
{
  g_ptr_array_add (node->outputs, g_strdup (value));
}

/* Makes the names of @node's outputs lead to it. */
static void
index_outputs (SrganGraph *graph, SrganGraphNode *node)
{
  for (guint i = 0; i < node->outputs->len; i++) {
    const gchar *output = g_ptr_array_index (node->outputs, i);

    if (*output != '\0' && !g_hash_table_contains (graph->makers, output))
      g_hash_table_insert (graph->makers, g_strdup (output), node);
  }
}

void
srgan_graph_index (SrganGraph *graph)
{
  g_hash_table_remove_all (graph->makers);
  for (guint i = 0; i < graph->nodes->len; i++)
    index_outputs (graph, g_ptr_array_index (graph->nodes, i));
}

void
srgan_graph_node_add_constant (
    SrganGraph *graph, SrganGraphNode *node, SrganConstant *constant)
{
  /* no file's name begins so: they are text */
  g_autofree gchar *name = g_strdup_printf ("\001%u", graph->n_own++);

  srgan_graph_add_constant (graph, name, constant);
  srgan_graph_node_add_input (node, name);
}

SrganGraphNode *
srgan_graph_add_simple (SrganGraph *graph, SrganNodeKind kind,
    const gchar *input, const gchar *output)
{
  SrganGraphNode *node = srgan_graph_add_node (graph, kind, output);

  srgan_graph_node_add_input (node, input);
  srgan_graph_node_add_output (node, output);
  return node;
}

void
srgan_graph_add_output (SrganGraph *graph, const gchar *name)
{
  g_ptr_array_add (graph->outputs, g_strdup (name));
}

void
srgan_graph_add_unknown (SrganGraph *graph, const gchar *operation,
    const gchar *name, const gchar *const *outputs, guint n_outputs)
{
  for (guint i = 0; i < n_outputs; i++) {
    g_autofree gchar *shown_operation =
        g_strescape (operation != NULL ? operation : "", NULL);
    g_autofree gchar *shown_name = g_strescape (name != NULL ? name : "", NULL);

    g_hash_table_replace (graph->unknown, g_strdup (outputs[i]),
        g_strdup_printf (
            "'%.60s' (node '%.60s')", shown_operation, shown_name));
  }
}

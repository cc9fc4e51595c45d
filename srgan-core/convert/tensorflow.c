/* convert: TensorFlow's files: frozen graphs, SavedModels, checkpoints.
 *
 * A graph is followed from its outputs. A call of a function is replaced by the
 * function's body, with a number before the names of its values; arguments and
 * results become nodes that do nothing, and so do reads of variables, which are
 * constants here: a variable's handle stands for what it holds, wherever it is
 * passed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/tensorflow.h"

#include "convert/architecture.h"
#include "convert/protobuf.h"

#include <string.h>

typedef Srgan__Tf__Graph Graph;
typedef Srgan__Tf__Node Node;
typedef Srgan__Tf__Attribute Attribute;
typedef Srgan__Tf__Function Function;
typedef Srgan__Tf__MetaGraph MetaGraph;
typedef SrganTensorflow Reader;
typedef SrganTensorflowScope Scope;
typedef SrganTensorflowVariable Variable;

/* Calls within calls: Keras makes one for each level of nested models. */
#define MAX_DEPTH 48
/* Identities from a variable to what sets it. */
#define MAX_STEPS 16

static gboolean
fail_protobuf (GError **error)
{
  return srgan_convert_corrupt (error,
      "it is cut short, is no valid protocol buffer, or asks for more memory "
      "than its size warrants");
}

static void
free_variable (gpointer data)
{
  Variable *variable = data;

  g_free (variable->value);
  g_free (variable->node);
  g_free (variable->shared_name);
  g_free (variable);
}

static void
reader_init (Reader *self, const gchar *name, const Graph *graph)
{
  memset (self, 0, sizeof *self);
  self->graph = srgan_graph_new (name);
  self->functions = g_hash_table_new (g_str_hash, g_str_equal);
  self->variables = g_ptr_array_new_with_free_func (free_variable);
  for (gsize i = 0; graph->library != NULL && i < graph->library->n_function;
       i++) {
    const Function *function = graph->library->function[i];

    if (function->signature != NULL && function->signature->name != NULL)
      g_hash_table_insert (
          self->functions, function->signature->name, (gpointer) function);
  }
}

static void
reader_clear (Reader *self)
{
  srgan_graph_free (self->graph);
  g_hash_table_unref (self->functions);
  g_ptr_array_unref (self->variables);
}

/* --- Graphs and functions ------------------------------------------------ */

static gboolean
has_operation (const Node *node, const gchar *const *operations)
{
  for (; *operations != NULL; operations++)
    if (strcmp (node->op, *operations) == 0)
      return TRUE;
  return FALSE;
}

static const gchar *const calls[] = {
    "PartitionedCall", "StatefulPartitionedCall", NULL};
static const gchar *const variables[] = {
    "VarHandleOp", "VariableV2", "Variable", NULL};

/* The function that @node calls; or NULL. */
static const Function *
get_callee (const Reader *self, const Node *node)
{
  const Attribute *attribute;

  if (has_operation (node, calls)) {
    attribute = srgan_tensorflow_find (node, "f");
    return attribute != NULL && attribute->func != NULL &&
                   attribute->func->name != NULL
               ? g_hash_table_lookup (self->functions, attribute->func->name)
               : NULL;
  }
  /* TensorFlow 1: the function's name is the operation's */
  return g_hash_table_lookup (self->functions, node->op);
}

/* The nodes by name; FALSE when one has none. */
static gboolean
index_nodes (
    Node *const *nodes, gsize n_nodes, GHashTable **by_name, GError **error)
{
  *by_name = g_hash_table_new (g_str_hash, g_str_equal);
  for (gsize i = 0; i < n_nodes; i++) {
    if (nodes[i]->name == NULL || nodes[i]->op == NULL)
      return srgan_convert_corrupt (error, "a node without a name");
    g_hash_table_insert (*by_name, nodes[i]->name, nodes[i]);
  }
  return TRUE;
}

static void
add_alias (Reader *self, const gchar *from, const gchar *to)
{
  srgan_graph_add_simple (self->graph, SRGAN_NODE_IDENTITY, from, to);
}

static void
add_variable (const Scope *scope, const Node *node)
{
  const Attribute *shared = srgan_tensorflow_find (node, "shared_name");
  Variable *variable = g_new0 (Variable, 1);

  variable->value = srgan_tensorflow_get_value (scope, node->name, 0);
  variable->node = g_strdup (node->name);
  if (shared != NULL && shared->s.len > 0 &&
      g_utf8_validate_len ((const gchar *) shared->s.data, shared->s.len, NULL))
    variable->shared_name =
        g_strndup ((const gchar *) shared->s.data, shared->s.len);
  g_ptr_array_add (scope->reader->variables, variable);
}

static gboolean expand (const Scope *scope, Node *const *nodes, gsize n_nodes,
    GPtrArray *wanted, guint depth, GError **error);

static gboolean
expand_call (const Scope *scope, const Node *node, const Function *function,
    guint depth, GError **error)
{
  Reader *self = scope->reader;
  const Srgan__Tf__Signature *signature = function->signature;
  g_autoptr (GPtrArray) wanted = g_ptr_array_new ();
  g_autofree gchar *prefix = g_strdup_printf ("%u|", ++self->n_calls);
  Scope inner = {self, prefix, function};
  gsize n_arguments = 0;

  if (depth >= MAX_DEPTH) {
    g_autofree gchar *quoted = srgan_convert_quote (signature->name, -1);

    return srgan_convert_corrupt (error,
        "function '%s' calls itself, or calls are %u deep", quoted, MAX_DEPTH);
  }
  for (gsize i = 0; i < node->n_input; i++) {
    g_autofree gchar *from = srgan_tensorflow_get_input (scope, node->input[i]);
    g_autofree gchar *to = NULL;

    if (from == NULL)
      continue;
    if (n_arguments >= signature->n_input_arg ||
        signature->input_arg[n_arguments]->name == NULL)
      break;
    to = srgan_tensorflow_get_value (
        &inner, signature->input_arg[n_arguments++]->name, 0);
    add_alias (self, from, to);
  }
  for (gsize i = 0; i < signature->n_output_arg; i++) {
    const gchar *name = signature->output_arg[i]->name;

    for (gsize j = 0; j < function->n_ret && name != NULL; j++)
      if (g_strcmp0 (function->ret[j]->key, name) == 0 &&
          function->ret[j]->value != NULL) {
        g_autofree gchar *from =
            srgan_tensorflow_get_input (&inner, function->ret[j]->value);
        g_autofree gchar *to =
            srgan_tensorflow_get_value (scope, node->name, (gint) i);

        if (from == NULL)
          continue;
        add_alias (self, from, to);
        g_ptr_array_add (wanted, function->ret[j]->value);
      }
  }
  return expand (&inner, function->node_def, function->n_node_def, wanted,
      depth + 1, error);
}

/* Whether @node's value is one that the model takes. */
static gboolean
is_input (const Scope *scope, const Node *node)
{
  const SrganGraph *graph = scope->reader->graph;
  g_autofree gchar *value = srgan_tensorflow_get_value (scope, node->name, 0);

  for (guint i = 0; i < graph->inputs->len; i++)
    if (g_str_equal (
            ((SrganGraphInput *) graph->inputs->pdata[i])->name, value))
      return TRUE;
  return FALSE;
}

static gboolean
add_node (const Scope *scope, const Node *node, guint depth, GError **error)
{
  Reader *self = scope->reader;
  const Function *function;

  if (has_operation (node, variables)) {
    add_variable (scope, node);
  } else if (strcmp (node->op, "Placeholder") == 0) {
    if (!self->has_inputs)
      srgan_tensorflow_add_input (scope, node, NULL);
    else if (!is_input (scope, node))
      srgan_tensorflow_add_node (scope, node);
  } else if ((function = get_callee (self, node)) != NULL) {
    return expand_call (scope, node, function, depth, error);
  } else {
    srgan_tensorflow_add_node (scope, node);
  }
  return TRUE;
}

/* Adds those of @nodes that @wanted (inputs as nodes name them; NULL: all)
 * needs. */
static gboolean
expand (const Scope *scope, Node *const *nodes, gsize n_nodes,
    GPtrArray *wanted, guint depth, GError **error)
{
  Reader *self = scope->reader;
  g_autoptr (GHashTable) by_name = NULL;
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) needed = g_ptr_array_new ();
  GPtrArray *open = wanted;
  gint number;

  if (!index_nodes (nodes, n_nodes, &by_name, error))
    return FALSE;
  for (gsize i = 0; i < n_nodes && wanted == NULL; i++)
    g_ptr_array_add (needed, nodes[i]);
  /* @needed grows as it is walked */
  for (guint i = 0; wanted != NULL && (open == wanted || i < needed->len);) {
    const Node *node = open == wanted ? NULL : needed->pdata[i++];
    gsize n = node == NULL ? wanted->len : node->n_input;

    open = NULL;
    for (gsize j = 0; j < n; j++) {
      const gchar *input = node == NULL ? wanted->pdata[j] : node->input[j];
      g_autofree gchar *name =
          srgan_tensorflow_parse_input (scope, input, &number);
      Node *maker = name != NULL ? g_hash_table_lookup (by_name, name) : NULL;

      if (maker != NULL && g_hash_table_add (seen, maker))
        g_ptr_array_add (needed, maker);
    }
  }
  self->n_nodes += needed->len;
  if (self->n_nodes > SRGAN_GRAPH_MAX_NODES)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "more than %u nodes, those of functions counted at each call",
        SRGAN_GRAPH_MAX_NODES);
  /* constants first: they are asked for by others, in any order */
  for (guint i = 0; i < needed->len; i++)
    if (strcmp (((Node *) needed->pdata[i])->op, "Const") == 0 &&
        !srgan_tensorflow_add_constant (scope, needed->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < needed->len; i++)
    if (strcmp (((Node *) needed->pdata[i])->op, "Const") != 0 &&
        !add_node (scope, needed->pdata[i], depth, error))
      return FALSE;
  return TRUE;
}

/* What nodes read is what was meant: the way through identities is cut short,
 * so that weights are seen to be weights. */
static void
skip_identities (SrganGraph *graph)
{
  g_autoptr (GHashTable) origins = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < graph->nodes->len; i++) {
    const SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);

    if (node->kind == SRGAN_NODE_IDENTITY && node->inputs->len == 1 &&
        node->outputs->len == 1)
      g_hash_table_insert (
          origins, node->outputs->pdata[0], node->inputs->pdata[0]);
  }
  for (guint i = 0; i < graph->nodes->len; i++) {
    SrganGraphNode *node = g_ptr_array_index (graph->nodes, i);

    /* the identities stay as they are: they own the names */
    if (node->kind == SRGAN_NODE_IDENTITY)
      continue;
    for (guint j = 0; j < node->inputs->len; j++) {
      const gchar *name = node->inputs->pdata[j];
      const gchar *origin = name;

      for (guint k = 0; origin != NULL && k < 4 * MAX_DEPTH; k++) {
        name = origin;
        origin = g_hash_table_lookup (origins, name);
      }
      if (origin == NULL && name != node->inputs->pdata[j]) {
        gchar *copy = g_strdup (name);

        g_free (node->inputs->pdata[j]);
        node->inputs->pdata[j] = copy;
      }
    }
  }
}

/* What nothing reads, known or not, is an output. */
static void
add_ends (const Scope *scope, const Graph *graph)
{
  static const gchar *const no_ends[] = {"Const", "Placeholder", "NoOp", NULL};
  g_autoptr (GHashTable) read =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  gint number;

  for (gsize i = 0; i < graph->n_node; i++)
    for (gsize j = 0; j < graph->node[i]->n_input; j++) {
      gchar *name = srgan_tensorflow_parse_input (
          scope, graph->node[i]->input[j], &number);

      if (name != NULL)
        g_hash_table_add (read, name);
    }
  for (gsize i = 0; i < graph->n_node; i++)
    if (!has_operation (graph->node[i], no_ends) &&
        !g_hash_table_contains (read, graph->node[i]->name))
      srgan_graph_add_output (scope->reader->graph, graph->node[i]->name);
}

/* --- Frozen graphs ------------------------------------------------------- */

gboolean
srgan_detect_tensorflow (SrganSource *source)
{
  guint found[32];

  /* GraphDef: nodes (1), a library (2), an old version (3), versions (4) */
  return !source->is_folder && source->size > 32 &&
         srgan_protobuf_looks_like (
             source->data, source->size, ".2202", 1u << 16, found) &&
         found[1] > 1;
}

SrganNetwork *
srgan_read_tensorflow (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  SrganNetwork *network = NULL;
  SrganProtobuf protobuf;
  Reader reader;
  Scope scope = {&reader, "", NULL};
  Graph *graph;
  gboolean done;

  srgan_protobuf_init (&protobuf, source->size);
  graph = srgan__tf__graph__unpack (
      &protobuf.allocator, source->size, source->data);
  if (graph == NULL) {
    fail_protobuf (error);
    return NULL;
  }
  reader_init (&reader, source->name, graph);
  done = expand (&scope, graph->node, graph->n_node, NULL, 0, error);
  if (done)
    add_ends (&scope, graph);
  srgan__tf__graph__free_unpacked (graph, &protobuf.allocator);
  if (done && reader.variables->len > 0) {
    const Variable *variable = g_ptr_array_index (reader.variables, 0);
    g_autofree gchar *quoted = srgan_convert_quote (variable->node, -1);

    done = srgan_convert_unsupported (error,
        "its weights lie elsewhere (variable '%s'): a graph that is not "
        "frozen. Convert the SavedModel or the checkpoint that it belongs to",
        quoted);
  }
  if (done) {
    skip_identities (reader.graph);
    network = srgan_graph_build (reader.graph, options, report, error);
  }
  reader_clear (&reader);
  return network;
}

/* --- Variables ----------------------------------------------------------- */

typedef struct {
  GHashTable *of_nodes;     /* the main graph's variable -> key */
  GHashTable *of_arguments; /* "function:number" -> key */
} Keys;

/* Through nodes that change nothing: the node, and which of its outputs. */
static const Node *
trace (const Scope *scope, GHashTable *by_name, const gchar *input,
    gint *number, gchar **name)
{
  static const gchar *const same[] = {"Identity", "Cast", "EnsureShape", NULL};
  const Node *node = NULL;

  g_clear_pointer (name, g_free);
  *name = srgan_tensorflow_parse_input (scope, input, number);
  for (guint i = 0; i < MAX_STEPS && *name != NULL; i++) {
    node = g_hash_table_lookup (by_name, *name);
    if (node == NULL || !has_operation (node, same) || node->n_input < 1)
      return node;
    g_free (*name);
    *name = srgan_tensorflow_parse_input (scope, node->input[0], number);
  }
  return NULL;
}

/* Text @index of the constant that makes @input. */
static gchar *
get_text (
    const Scope *scope, GHashTable *by_name, const gchar *input, gsize index)
{
  g_autofree gchar *name = NULL;
  gint number;
  const Node *node = trace (scope, by_name, input, &number, &name);
  const Attribute *value;
  const ProtobufCBinaryData *text;

  if (node == NULL || strcmp (node->op, "Const") != 0)
    return NULL;
  value = srgan_tensorflow_find (node, "value");
  if (value == NULL || value->tensor == NULL ||
      index >= value->tensor->n_string_val)
    return NULL;
  text = &value->tensor->string_val[index];
  if (memchr (text->data, 0, text->len) != NULL)
    return NULL;
  return g_strndup ((const gchar *) text->data, text->len);
}

static gint
find_argument (const Function *function, const gchar *name)
{
  const Srgan__Tf__Signature *signature = function->signature;

  for (gsize i = 0; i < signature->n_input_arg; i++)
    if (g_strcmp0 (signature->input_arg[i]->name, name) == 0)
      return (gint) i;
  return -1;
}

/* Notes which key each variable is set from: what restores a model says so. */
static gboolean
note_keys (const Scope *scope, Node *const *nodes, gsize n_nodes, Keys *keys,
    GError **error)
{
  static const gchar *const setters[] = {"Assign", "AssignVariableOp", NULL};
  g_autoptr (GHashTable) by_name = NULL;

  if (!index_nodes (nodes, n_nodes, &by_name, error))
    return FALSE;
  for (gsize i = 0; i < n_nodes; i++) {
    g_autofree gchar *from = NULL, *to = NULL, *key = NULL;
    const Node *restore, *variable;
    gint number, ignored, argument;

    if (!has_operation (nodes[i], setters) || nodes[i]->n_input < 2)
      continue;
    restore = trace (scope, by_name, nodes[i]->input[1], &number, &from);
    if (restore == NULL || strcmp (restore->op, "RestoreV2") != 0 ||
        restore->n_input < 2 || number < 0)
      continue;
    key = get_text (scope, by_name, restore->input[1], (gsize) number);
    if (key == NULL)
      continue;
    variable = trace (scope, by_name, nodes[i]->input[0], &ignored, &to);
    if (scope->function == NULL && variable != NULL) {
      g_hash_table_replace (
          keys->of_nodes, g_strdup (variable->name), g_steal_pointer (&key));
    } else if (scope->function != NULL && variable == NULL && to != NULL) {
      argument = find_argument (scope->function, to);
      if (argument >= 0)
        g_hash_table_replace (keys->of_arguments,
            g_strdup_printf (
                "%s:%d", scope->function->signature->name, argument),
            g_steal_pointer (&key));
    }
  }
  return TRUE;
}

/* Where a function restores its arguments: those that it is called with. */
static void
note_arguments (const Scope *scope, const Graph *graph, Keys *keys)
{
  for (gsize i = 0; i < graph->n_node; i++) {
    const Function *function = get_callee (scope->reader, graph->node[i]);
    guint n = 0;

    for (gsize j = 0; function != NULL && j < graph->node[i]->n_input; j++) {
      gint number;
      g_autofree gchar *name = srgan_tensorflow_parse_input (
          scope, graph->node[i]->input[j], &number);
      g_autofree gchar *argument = NULL;
      const gchar *key;

      if (name == NULL)
        continue;
      argument = g_strdup_printf ("%s:%u", function->signature->name, n++);
      key = g_hash_table_lookup (keys->of_arguments, argument);
      if (key != NULL)
        g_hash_table_replace (
            keys->of_nodes, g_steal_pointer (&name), g_strdup (key));
    }
  }
}

static gboolean
find_keys (Reader *self, const Graph *graph, Keys *keys, GError **error)
{
  Scope main_scope = {self, "", NULL};
  GHashTableIter iter;
  gpointer function;

  if (!note_keys (&main_scope, graph->node, graph->n_node, keys, error))
    return FALSE;
  g_hash_table_iter_init (&iter, self->functions);
  while (g_hash_table_iter_next (&iter, NULL, &function)) {
    const Function *body = function;
    Scope scope = {self, "", body};

    if (!note_keys (&scope, body->node_def, body->n_node_def, keys, error))
      return FALSE;
  }
  note_arguments (&main_scope, graph, keys);
  return TRUE;
}

static const gchar *
find_key (SrganBundle *bundle, const Keys *keys, const Variable *variable)
{
  const gchar *key = g_hash_table_lookup (keys->of_nodes, variable->node);
  const gchar *const names[] = {variable->shared_name, variable->node};

  if (key != NULL && srgan_bundle_find (bundle, key) != NULL)
    return key;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    if (names[i] == NULL)
      continue;
    if (srgan_bundle_find (bundle, names[i]) != NULL)
      return names[i];
    key = srgan_bundle_find_full_name (bundle, names[i]);
    if (key != NULL)
      return key;
  }
  return NULL;
}

/* Makes constants of the variables that the graph reads. */
static gboolean
load_variables (
    Reader *self, SrganBundle *bundle, const Graph *graph, GError **error)
{
  g_autoptr (GHashTable) of_nodes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_autoptr (GHashTable) of_arguments =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  Keys keys = {of_nodes, of_arguments};

  if (!find_keys (self, graph, &keys, error))
    return FALSE;
  for (guint i = 0; i < self->variables->len; i++) {
    const Variable *variable = g_ptr_array_index (self->variables, i);
    const gchar *key = find_key (bundle, &keys, variable);
    SrganConstant *constant;

    if (key == NULL) {
      const gchar *name = variable->shared_name != NULL ? variable->shared_name
                                                        : variable->node;
      g_autofree gchar *quoted = srgan_convert_quote (name, -1);

      /* one that only training needs may be missing */
      if (self->is_training) {
        srgan_graph_add_unknown (self->graph,
            "a variable that is not in the checkpoint", name,
            (const gchar *const *) &variable->value, 1);
        continue;
      }
      return srgan_convert_corrupt (
          error, "variable '%s' is not in the checkpoint", quoted);
    }
    constant = srgan_bundle_read (bundle, key, error);
    if (constant == NULL)
      return FALSE;
    srgan_graph_add_constant (self->graph, variable->value, constant);
  }
  return TRUE;
}

/* --- SavedModels --------------------------------------------------------- */

#define SAVED_MODEL "saved_model.pb"
#define VARIABLES "variables/variables.index"

static gboolean
looks_like_saved_model (SrganSource *source)
{
  guint found[32];

  /* a version, a graph or several */
  return source->size > 16 && source->data[0] == 8 &&
         srgan_protobuf_looks_like (
             source->data, source->size, ".02", 64, found) &&
         found[1] == 1 && found[2] >= 1;
}

gboolean
srgan_detect_saved_model (SrganSource *source)
{
  g_autoptr (SrganSource) inside = NULL;

  if (!source->is_folder)
    return looks_like_saved_model (source);
  inside = srgan_source_open_beside (source, SAVED_MODEL, NULL);
  return inside != NULL && !inside->is_folder &&
         looks_like_saved_model (inside);
}

static gboolean
has_tag (const MetaGraph *graph, const gchar *tag)
{
  for (gsize i = 0;
       graph->meta_info_def != NULL && i < graph->meta_info_def->n_tags; i++)
    if (g_strcmp0 (graph->meta_info_def->tags[i], tag) == 0)
      return TRUE;
  return FALSE;
}

/* What the model is asked for with: "serving_default", else the first with
 * inputs and outputs. */
static const Srgan__Tf__Signatures *
find_signature (const MetaGraph *graph)
{
  const Srgan__Tf__Signatures *first = NULL;

  for (gsize i = 0; i < graph->n_signature_def; i++) {
    const Srgan__Tf__SignatureEntry *entry = graph->signature_def[i];

    if (entry->value == NULL || entry->value->n_outputs == 0 ||
        entry->value->n_inputs == 0)
      continue;
    if (g_strcmp0 (entry->key, "serving_default") == 0)
      return entry->value;
    if (first == NULL)
      first = entry->value;
  }
  return first;
}

/* The shape that the signature gives for placeholder @node. */
static const Srgan__Tf__Shape *
find_shape (const Srgan__Tf__Signatures *signature, const Node *node)
{
  for (gsize i = 0; i < signature->n_inputs; i++) {
    const Srgan__Tf__TensorInfo *info = signature->inputs[i]->value;
    gsize n = strlen (node->name);

    if (info != NULL && info->name != NULL &&
        strncmp (info->name, node->name, n) == 0 &&
        (info->name[n] == '\0' || info->name[n] == ':'))
      return info->tensor_shape;
  }
  return NULL;
}

static gboolean
read_signature (const Scope *scope, const Graph *graph,
    const Srgan__Tf__Signatures *signature, GError **error)
{
  g_autoptr (GPtrArray) wanted = g_ptr_array_new ();

  for (gsize i = 0; i < signature->n_outputs; i++) {
    const Srgan__Tf__TensorInfo *info = signature->outputs[i]->value;
    g_autofree gchar *value = NULL;

    if (info == NULL || info->name == NULL)
      continue;
    value = srgan_tensorflow_get_input (scope, info->name);
    if (value == NULL)
      continue;
    g_ptr_array_add (wanted, info->name);
    srgan_graph_add_output (scope->reader->graph, value);
  }
  for (gsize i = 0; i < graph->n_node; i++)
    if (g_strcmp0 (graph->node[i]->op, "Placeholder") == 0 &&
        graph->node[i]->name != NULL)
      srgan_tensorflow_add_input (
          scope, graph->node[i], find_shape (signature, graph->node[i]));
  return expand (scope, graph->node, graph->n_node, wanted, 0, error);
}

static SrganBundle *
open_variables (SrganSource *model, SrganSource **index, GError **error)
{
  *index = srgan_source_open_beside (model, VARIABLES, error);
  return *index != NULL ? srgan_bundle_open (*index, error) : NULL;
}

static SrganNetwork *
read_meta_graph (SrganSource *model, const MetaGraph *graph,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  const Srgan__Tf__Signatures *signature = find_signature (graph);
  g_autoptr (SrganSource) index = NULL;
  g_autoptr (SrganBundle) bundle = NULL;
  SrganNetwork *network = NULL;
  Reader reader;
  Scope scope = {&reader, "", NULL};
  gboolean done;

  if (graph->graph_def == NULL || signature == NULL) {
    srgan_convert_unsupported (error,
        "it has no signature to call it by: save it with model.export(), or "
        "with signatures= of tf.saved_model.save()");
    return NULL;
  }
  reader_init (&reader, model->name, graph->graph_def);
  reader.has_inputs = TRUE;
  done = read_signature (&scope, graph->graph_def, signature, error);
  if (done && reader.variables->len > 0) {
    bundle = open_variables (model, &index, error);
    done = bundle != NULL &&
           load_variables (&reader, bundle, graph->graph_def, error);
  }
  if (done) {
    skip_identities (reader.graph);
    network = srgan_graph_build (reader.graph, options, report, error);
  }
  reader_clear (&reader);
  return network;
}

SrganNetwork *
srgan_read_saved_model (SrganSource *source, const SrganConvertOptions *options,
    SrganConvertReport *report, GError **error)
{
  g_autoptr (SrganSource) inside = NULL;
  SrganSource *file = source;
  SrganNetwork *network = NULL;
  SrganProtobuf protobuf;
  Srgan__Tf__SavedModel *model;
  const MetaGraph *graph = NULL;

  if (source->is_folder) {
    inside = srgan_source_open_beside (source, SAVED_MODEL, error);
    if (inside == NULL)
      return NULL;
    file = inside;
  }
  srgan_protobuf_init (&protobuf, file->size);
  model = srgan__tf__saved_model__unpack (
      &protobuf.allocator, file->size, file->data);
  if (model == NULL) {
    fail_protobuf (error);
    return NULL;
  }
  for (gsize i = 0; i < model->n_meta_graphs; i++)
    if (graph == NULL ||
        (has_tag (model->meta_graphs[i], "serve") && !has_tag (graph, "serve")))
      graph = model->meta_graphs[i];
  if (graph == NULL)
    srgan_convert_corrupt (error, "there is no graph in it");
  else
    network = read_meta_graph (source, graph, options, report, error);
  srgan__tf__saved_model__free_unpacked (model, &protobuf.allocator);
  return network;
}

/* --- Graphs as they were trained ----------------------------------------- */

static const gchar *const feeders[] = {"Placeholder", "PlaceholderWithDefault",
    "IteratorGetNext", "QueueDequeueV2", "QueueDequeueManyV2",
    "QueueDequeueUpToV2", NULL};
static const gchar *const convolutions[] = {
    "Conv2D", "DepthwiseConv2dNative", NULL};

/* Of what a training program does beside the network. */
static gboolean
is_aside (const Node *node)
{
  static const gchar *const prefixes[] = {"gradients", "save/", "save_",
      "train/", "train_op", "Adam", "GradientDescent", "RMSProp"};

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (node->name, prefixes[i]))
      return TRUE;
  return FALSE;
}

/* What feeds the picture to the first convolution that is made of something
 * fed. */
static const Node *
find_picture (
    const Scope *scope, const Graph *graph, GHashTable *by_name, gint *number)
{
  guint64 n_steps = 0;

  for (gsize i = 0; i < graph->n_node; i++) {
    const Node *conv = graph->node[i];
    g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
    g_autoptr (GPtrArray) open = g_ptr_array_new ();

    if (!has_operation (conv, convolutions) || is_aside (conv) ||
        conv->n_input < 2)
      continue;
    g_ptr_array_add (open, (gpointer) conv);
    for (guint j = 0; j < open->len; j++) {
      const Node *node = open->pdata[j];
      /* of the convolution the map, not the weights */
      gsize n = node == conv ? 1 : node->n_input;

      if (++n_steps > 10 * SRGAN_GRAPH_MAX_NODES)
        return NULL;
      for (gsize k = 0; k < n; k++) {
        g_autofree gchar *name =
            srgan_tensorflow_parse_input (scope, node->input[k], number);
        Node *maker = name != NULL ? g_hash_table_lookup (by_name, name) : NULL;

        if (maker == NULL || *number < 0)
          continue;
        if (has_operation (maker, feeders))
          return maker;
        if (g_hash_table_add (seen, maker))
          g_ptr_array_add (open, maker);
      }
    }
  }
  return NULL;
}

/* All that is made of value @number of @picture, in the order in which it is
 * found. */
static GPtrArray *
list_made_of (const Scope *scope, const Graph *graph, const Node *picture,
    gint number, GHashTable *read)
{
  g_autoptr (GHashTable) readers = g_hash_table_new_full (
      g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_ptr_array_unref);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  g_autofree gchar *value =
      srgan_tensorflow_get_value (scope, picture->name, number);
  GPtrArray *found = g_ptr_array_new ();

  for (gsize i = 0; i < graph->n_node; i++)
    for (gsize j = 0; j < graph->node[i]->n_input; j++) {
      gchar *input =
          srgan_tensorflow_get_input (scope, graph->node[i]->input[j]);
      GPtrArray *list;

      if (input == NULL || is_aside (graph->node[i])) {
        g_free (input);
        continue;
      }
      list = g_hash_table_lookup (readers, input);
      if (list == NULL) {
        list = g_ptr_array_new ();
        g_hash_table_insert (readers, input, list);
      } else {
        g_free (input);
      }
      g_ptr_array_add (list, graph->node[i]);
    }
  for (gint i = -1; i < (gint) found->len; i++) {
    const Node *node = i < 0 ? NULL : found->pdata[i];
    GPtrArray *list =
        g_hash_table_lookup (readers, node == NULL ? value : node->name);

    for (guint j = 0; list != NULL && j < list->len; j++)
      if (g_hash_table_add (seen, list->pdata[j]))
        g_ptr_array_add (found, list->pdata[j]);
    if (node != NULL && list != NULL)
      g_hash_table_add (read, (gpointer) node);
  }
  return found;
}

/* The input, by what the file says of its shape. */
static void
add_picture (const Scope *scope, const Node *picture, gint number)
{
  const Attribute *shapes = srgan_tensorflow_find (picture, "output_shapes");
  const Srgan__Tf__Shape *shape = NULL;
  Node named = *picture;
  g_autofree gchar *name = NULL;

  if (shapes != NULL && shapes->list != NULL &&
      (gsize) number < shapes->list->n_shape)
    shape = shapes->list->shape[number];
  name = number == 0 ? g_strdup (picture->name)
                     : g_strdup_printf ("%s:%d", picture->name, number);
  named.name = name;
  srgan_tensorflow_add_input (scope, &named, shape);
}

static gboolean
read_training_graph (const Scope *scope, const Graph *graph, GError **error)
{
  g_autoptr (GHashTable) by_name = NULL;
  g_autoptr (GHashTable) read = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) made = NULL;
  g_autoptr (GPtrArray) wanted = g_ptr_array_new ();
  SrganGraph *to = scope->reader->graph;
  const Node *picture;
  gint number = 0;

  if (!index_nodes (graph->node, graph->n_node, &by_name, error))
    return FALSE;
  picture = find_picture (scope, graph, by_name, &number);
  if (picture == NULL)
    return srgan_convert_unsupported (
        error, "its graph has no convolution of a picture that is fed to it");
  add_picture (scope, picture, number);
  made = list_made_of (scope, graph, picture, number, read);
  if (made->len > SRGAN_GRAPH_MAX_NODES)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "more than %u nodes", SRGAN_GRAPH_MAX_NODES);
  /* ends first, then what the loss is made of: of pictures of one size, the
   * first that is one is taken */
  for (guint pass = 0; pass < 2; pass++)
    for (guint i = made->len; i-- > 0;)
      if (g_hash_table_contains (read, made->pdata[i]) == (pass == 1)) {
        g_ptr_array_add (wanted, ((Node *) made->pdata[i])->name);
        srgan_graph_add_output (to, ((Node *) made->pdata[i])->name);
      }
  return expand (scope, graph->node, graph->n_node, wanted, 0, error);
}

SrganNetwork *
srgan_tensorflow_read_training (SrganSource *meta, SrganBundle *bundle,
    const SrganConvertOptions *options, SrganConvertReport *report,
    GError **error)
{
  SrganNetwork *network = NULL;
  SrganProtobuf protobuf;
  Srgan__Tf__MetaGraph *graph;
  Reader reader;
  Scope scope = {&reader, "", NULL};
  gboolean done;

  srgan_protobuf_init (&protobuf, meta->size);
  graph = srgan__tf__meta_graph__unpack (
      &protobuf.allocator, meta->size, meta->data);
  if (graph == NULL) {
    fail_protobuf (error);
    return NULL;
  }
  if (graph->graph_def == NULL) {
    srgan__tf__meta_graph__free_unpacked (graph, &protobuf.allocator);
    srgan_convert_corrupt (error, "there is no graph in it");
    return NULL;
  }
  reader_init (&reader, meta->name, graph->graph_def);
  reader.has_inputs = reader.is_training = TRUE;
  done = read_training_graph (&scope, graph->graph_def, error) &&
         load_variables (&reader, bundle, graph->graph_def, error);
  srgan__tf__meta_graph__free_unpacked (graph, &protobuf.allocator);
  if (done) {
    skip_identities (reader.graph);
    network = srgan_graph_build (reader.graph, options, report, error);
  }
  reader_clear (&reader);
  return network;
}

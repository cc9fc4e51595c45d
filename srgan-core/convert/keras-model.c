/* convert: Keras' topologies: which layer is called with what.
 *
 * Written for the three ways in which get_config() has spelled it:
 * Sequential's list of layers (Keras 1), or object with one; functional models
 * whose layers tell their "inbound_nodes" as lists of [layer, node, tensor,
 * keywords] (Keras 1 and 2) or as arguments among which "__keras_tensor__"s
 * stand for values (Keras 3).
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/keras.h"

#include <string.h>

const SrganJsonLimits srgan_keras_json_limits = {
    .n_bytes = 16 * 1024 * 1024,
    .n_values = 1000000,
    .n_members = 4096,
    .depth = SRGAN_JSON_MAX_DEPTH,
};

/* --- JSON ---------------------------------------------------------------- */

static JsonNode *
get_member (JsonObject *object, const gchar *name)
{
  return object != NULL ? json_object_get_member (object, name) : NULL;
}

JsonObject *
srgan_keras_get_object (JsonObject *object, const gchar *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_OBJECT (node)
             ? json_node_get_object (node)
             : NULL;
}

JsonArray *
srgan_keras_get_array (JsonObject *object, const gchar *name)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_ARRAY (node)
             ? json_node_get_array (node)
             : NULL;
}

static const gchar *
as_string (JsonNode *node)
{
  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : NULL;
}

const gchar *
srgan_keras_get_string (JsonObject *object, const gchar *name)
{
  return as_string (get_member (object, name));
}

gboolean
srgan_keras_is_number (JsonNode *node, gdouble *number)
{
  GType type;

  if (node == NULL || !JSON_NODE_HOLDS_VALUE (node))
    return FALSE;
  type = json_node_get_value_type (node);
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return FALSE;
  *number = json_node_get_double (node);
  return TRUE;
}

gdouble
srgan_keras_get_number (JsonObject *object, const gchar *name, gdouble standard)
{
  gdouble number;

  return srgan_keras_is_number (get_member (object, name), &number) ? number
                                                                    : standard;
}

gboolean
srgan_keras_get_boolean (
    JsonObject *object, const gchar *name, gboolean standard)
{
  JsonNode *node = get_member (object, name);

  return node != NULL && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_BOOLEAN
             ? json_node_get_boolean (node)
             : standard;
}

static gboolean
as_integer (JsonNode *node, gint64 *integer)
{
  gdouble number;

  if (!srgan_keras_is_number (node, &number) || !(ABS (number) <= 1e15))
    return FALSE;
  *integer = (gint64) number;
  return TRUE;
}

gboolean
srgan_keras_get_pair (JsonObject *object, const gchar *name, gint64 pair[2])
{
  JsonNode *node = get_member (object, name);
  JsonArray *array;

  if (as_integer (node, &pair[0])) {
    pair[1] = pair[0];
    return TRUE;
  }
  if (node == NULL || !JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  if (json_array_get_length (array) < 1 || json_array_get_length (array) > 2 ||
      !as_integer (json_array_get_element (array, 0), &pair[0]))
    return FALSE;
  return as_integer (
      json_array_get_element (array, json_array_get_length (array) - 1),
      &pair[1]);
}

static gboolean
collect_numbers (JsonNode *node, guint depth, guint rank,
    const gint64 *dimensions, GArray *numbers)
{
  JsonArray *array;
  gdouble number;

  if (depth == rank) {
    if (!srgan_keras_is_number (node, &number))
      return FALSE;
    g_array_append_val (numbers, number);
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return FALSE;
  array = json_node_get_array (node);
  if (json_array_get_length (array) != dimensions[depth])
    return FALSE;
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!collect_numbers (json_array_get_element (array, i), depth + 1, rank,
            dimensions, numbers))
      return FALSE;
  return TRUE;
}

SrganConstant *
srgan_keras_get_constant (JsonNode *node)
{
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (gdouble));
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK];
  gboolean whole = TRUE;
  SrganConstant *constant;
  guint rank = 0;
  gfloat *to;
  gint64 *integers;

  for (JsonNode *inner = node; inner != NULL && JSON_NODE_HOLDS_ARRAY (inner);
       rank++) {
    JsonArray *array = json_node_get_array (inner);

    if (rank == SRGAN_GRAPH_MAX_RANK)
      return NULL;
    dimensions[rank] = json_array_get_length (array);
    inner = dimensions[rank] > 0 ? json_array_get_element (array, 0) : NULL;
  }
  if (node == NULL || !collect_numbers (node, 0, rank, dimensions, numbers))
    return NULL;
  for (guint i = 0; i < numbers->len && rank > 0; i++) {
    gdouble number = g_array_index (numbers, gdouble, i);

    whole = whole && number == (gdouble) (gint32) CLAMP (number, -2e9, 2e9);
  }
  if (rank == 0)
    return srgan_constant_new_scalar (g_array_index (numbers, gdouble, 0));
  if (whole) {
    constant =
        srgan_constant_new_integers (rank, dimensions, numbers->len, &integers);
    for (guint i = 0; i < numbers->len; i++)
      integers[i] = (gint64) g_array_index (numbers, gdouble, i);
  } else {
    constant = srgan_constant_new_numbers (rank, dimensions, numbers->len, &to);
    for (guint i = 0; i < numbers->len; i++)
      to[i] = (gfloat) g_array_index (numbers, gdouble, i);
  }
  return constant;
}

/* --- Calls --------------------------------------------------------------- */

static void
free_argument (gpointer data)
{
  SrganKerasArgument *argument = data;

  g_free (argument->value);
  g_free (argument);
}

static void
free_call (SrganKerasCall *call)
{
  g_free (call->name);
  g_ptr_array_unref (call->arguments);
  if (call->keywords != NULL)
    json_object_unref (call->keywords);
  g_hash_table_unref (call->keyword_values);
  g_free (call->output);
  g_free (call);
}

static SrganKerasCall *
new_call (const SrganKerasPlace *place, const gchar *prefix, JsonObject *config,
    const gchar *output)
{
  SrganKerasCall *call = g_new0 (SrganKerasCall, 1);

  call->place = *place;
  call->name = g_strconcat (prefix, place->name, NULL);
  call->config = config;
  call->arguments = g_ptr_array_new_with_free_func (free_argument);
  call->keyword_values =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  call->output = g_strdup (output);
  return call;
}

/* Takes @value; else @constant. */
static void
add_argument (SrganKerasCall *call, gchar *value, JsonNode *constant)
{
  SrganKerasArgument *argument = g_new0 (SrganKerasArgument, 1);

  argument->value = value;
  argument->constant = constant;
  g_ptr_array_add (call->arguments, argument);
}

const gchar *
srgan_keras_get_value (SrganKeras *self, SrganKerasCall *call, guint number)
{
  SrganKerasArgument *argument;

  if (number >= call->arguments->len)
    return NULL;
  argument = g_ptr_array_index (call->arguments, number);
  if (argument->value == NULL && argument->constant != NULL) {
    SrganConstant *constant = srgan_keras_get_constant (argument->constant);

    if (constant == NULL)
      return NULL;
    argument->value =
        g_strdup_printf ("%s\001argument %u", call->output, number);
    srgan_graph_add_constant (self->graph, argument->value, constant);
  }
  return argument->value;
}

SrganGraphNode *
srgan_keras_add_node (SrganKeras *self, SrganKerasCall *call,
    SrganNodeKind kind, const gchar *input, const gchar *output)
{
  SrganGraphNode *node = srgan_graph_add_node (self->graph, kind, call->name);

  node->channels_last = TRUE;
  srgan_graph_node_add_input (node, input);
  srgan_graph_node_add_output (node, output);
  if (kind != SRGAN_NODE_CONV && kind != SRGAN_NODE_TRANSPOSED_CONV)
    srgan_keras_set_channels (
        self, output, srgan_keras_get_channels (self, input));
  return node;
}

guint
srgan_keras_get_channels (SrganKeras *self, const gchar *value)
{
  return value != NULL
             ? GPOINTER_TO_UINT (g_hash_table_lookup (self->channels, value))
             : 0;
}

void
srgan_keras_set_channels (SrganKeras *self, const gchar *value, guint channels)
{
  if (channels > 0)
    g_hash_table_replace (
        self->channels, g_strdup (value), GUINT_TO_POINTER (channels));
}

/* --- Models -------------------------------------------------------------- */

/* A layer of the model that is being added. */
typedef struct {
  const gchar *class_name;
  const gchar *name;
  JsonObject *config;
  JsonArray *nodes; /* inbound; NULL for those of a Sequential */
  gboolean is_model;
  gboolean counts_from_one; /* its calls */
  SrganKerasPlace place;
} Layer;

typedef struct {
  SrganKeras *self;
  const SrganKerasPlace *outer;
  const gchar *prefix; /* of values and names */
  guint depth;
  GArray *layers;      /* of Layer */
  GHashTable *by_name; /* -> Layer */
} Model;

static gboolean add_model (SrganKeras *self, JsonObject *description,
    const SrganKerasPlace *outer, const gchar *prefix, guint depth,
    GPtrArray *inputs, GPtrArray *outputs, GError **error);

static JsonObject *no_config; /* an empty one */

static JsonObject *
get_no_config (void)
{
  static gsize made;

  if (g_once_init_enter (&made)) {
    no_config = json_object_new ();
    g_once_init_leave (&made, 1);
  }
  return no_config;
}

static gboolean
is_model_class (const gchar *class_name)
{
  static const gchar *const names[] = {
      "Model", "Functional", "Sequential", "Graph", NULL};

  return g_strv_contains (names, class_name);
}

static gboolean
fill_layer (Model *model, JsonNode *node, Layer *layer, GError **error)
{
  JsonObject *object;

  if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node))
    return srgan_convert_corrupt (error, "a layer that is no object");
  object = json_node_get_object (node);
  memset (layer, 0, sizeof *layer);
  layer->class_name = srgan_keras_get_string (object, "class_name");
  layer->config = srgan_keras_get_object (object, "config");
  layer->nodes = srgan_keras_get_array (object, "inbound_nodes");
  layer->name = srgan_keras_get_string (object, "name");
  /* a custom class: "Package>Name" */
  if (layer->class_name != NULL && strchr (layer->class_name, '>') != NULL)
    layer->class_name = strrchr (layer->class_name, '>') + 1;
  if (layer->name == NULL)
    layer->name = srgan_keras_get_string (layer->config, "name");
  if (layer->class_name == NULL || *layer->class_name == '\0')
    return srgan_convert_corrupt (error, "a layer without a class");
  /* Keras 1 and Keras 2's first versions: a list in place of a config */
  layer->is_model =
      is_model_class (layer->class_name) ||
      (layer->config != NULL &&
          srgan_keras_get_array (layer->config, "layers") != NULL);
  if (layer->config == NULL)
    layer->config = layer->is_model ? object : get_no_config ();
  if (layer->name == NULL || *layer->name == '\0')
    layer->name = layer->class_name;
  if (json_object_has_member (object, "module"))
    model->self->keras_3 = TRUE;
  layer->counts_from_one =
      layer->is_model &&
      !(model->self->keras_3 && strcmp (layer->class_name, "Sequential") == 0);
  return TRUE;
}

static gboolean
fill_layers (Model *model, JsonArray *array, GError **error)
{
  for (guint i = 0; i < json_array_get_length (array); i++) {
    Layer layer;

    if (!fill_layer (model, json_array_get_element (array, i), &layer, error)) {
      g_prefix_error (error, "layer %u: ", i);
      return FALSE;
    }
    for (guint j = 0; j < model->layers->len; j++)
      if (strcmp (g_array_index (model->layers, Layer, j).class_name,
              layer.class_name) == 0)
        layer.place.number++;
    layer.place.outer = model->outer;
    layer.place.name = layer.name;
    layer.place.class_name = layer.class_name;
    g_array_append_val (model->layers, layer);
  }
  for (guint i = 0; i < model->layers->len; i++) {
    Layer *layer = &g_array_index (model->layers, Layer, i);

    g_hash_table_insert (model->by_name, (gpointer) layer->name, layer);
  }
  return TRUE;
}

/* The value that a layer's call puts out. */
static gchar *
make_value (Model *model, const gchar *layer, gint64 call, gint64 output)
{
  return g_strdup_printf ("%s%s\001%" G_GINT64_FORMAT "\001%" G_GINT64_FORMAT,
      model->prefix, layer, call, output);
}

/* The value that [layer, call, output, ...] in @array names from @at on; NULL:
 * it names none. */
static gchar *
find_value (Model *model, JsonArray *array, guint at)
{
  const gchar *name;
  Layer *layer;
  gint64 call = 0, output = 0;

  if (json_array_get_length (array) < at + 1)
    return NULL;
  name = as_string (json_array_get_element (array, at));
  layer = name != NULL ? g_hash_table_lookup (model->by_name, name) : NULL;
  if (layer == NULL)
    return NULL;
  if (json_array_get_length (array) < at + 3 ||
      !as_integer (json_array_get_element (array, at + 1), &call) ||
      !as_integer (json_array_get_element (array, at + 2), &output))
    return NULL;
  /* a functional model's calls count from 1 where making it was one */
  if (layer->counts_from_one && call > 0)
    call--;
  if (layer->nodes != NULL && json_array_get_length (layer->nodes) == 1)
    call = 0;
  return make_value (model, layer->name, call, output);
}

/* Likewise of Keras 3's {"class_name": "__keras_tensor__", ...}. */
static gchar *
find_keras_tensor (Model *model, JsonNode *node)
{
  JsonObject *object, *config;
  JsonArray *history;

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return NULL;
  object = json_node_get_object (node);
  if (g_strcmp0 (srgan_keras_get_string (object, "class_name"),
          "__keras_tensor__") != 0)
    return NULL;
  config = srgan_keras_get_object (object, "config");
  history = srgan_keras_get_array (config, "keras_history");
  return history != NULL ? find_value (model, history, 0) : NULL;
}

static gboolean
fail_node (GError **error)
{
  return srgan_convert_corrupt (
      error, "what it is called with is not understood");
}

/* Keywords of a call: those that are values, and those that are not. */
static void
add_keywords (Model *model, SrganKerasCall *call, JsonObject *keywords)
{
  JsonObjectIter iter;
  const gchar *name;
  JsonNode *node;

  if (keywords == NULL)
    return;
  if (call->keywords == NULL)
    call->keywords = json_object_new ();
  json_object_iter_init (&iter, keywords);
  while (json_object_iter_next (&iter, &name, &node)) {
    g_autofree gchar *value =
        JSON_NODE_HOLDS_ARRAY (node)
            ? find_value (model, json_node_get_array (node), 0)
            : find_keras_tensor (model, node);

    if (value != NULL)
      g_hash_table_replace (
          call->keyword_values, g_strdup (name), g_steal_pointer (&value));
    else
      json_object_set_member (call->keywords, name, json_node_copy (node));
  }
}

/* [layer, call, output, keywords], or ["_CONSTANT_VALUE", -1, number,
 * keywords] */
static gboolean
add_old_argument (
    Model *model, SrganKerasCall *call, JsonArray *array, GError **error)
{
  guint n = json_array_get_length (array);
  gchar *value = find_value (model, array, 0);
  JsonNode *last;

  if (value != NULL) {
    add_argument (call, value, NULL);
  } else if (n >= 3 && g_strcmp0 (as_string (json_array_get_element (array, 0)),
                           "_CONSTANT_VALUE") == 0) {
    add_argument (call, NULL, json_array_get_element (array, 2));
  } else {
    return fail_node (error);
  }
  last = n > 3 ? json_array_get_element (array, 3) : NULL;
  if (last != NULL && JSON_NODE_HOLDS_OBJECT (last))
    add_keywords (model, call, json_node_get_object (last));
  return TRUE;
}

static gboolean
add_old_arguments (
    Model *model, SrganKerasCall *call, JsonNode *node, GError **error)
{
  JsonArray *array;

  if (!JSON_NODE_HOLDS_ARRAY (node))
    return fail_node (error);
  array = json_node_get_array (node);
  if (json_array_get_length (array) > 0 &&
      as_string (json_array_get_element (array, 0)) != NULL)
    return add_old_argument (model, call, array, error);
  for (guint i = 0; i < json_array_get_length (array); i++) {
    JsonNode *inner = json_array_get_element (array, i);

    if (!JSON_NODE_HOLDS_ARRAY (inner))
      return fail_node (error);
    if (!add_old_argument (model, call, json_node_get_array (inner), error))
      return FALSE;
  }
  return TRUE;
}

/* {"args": [...], "kwargs": {...}}; lists of values are taken apart. */
static gboolean
add_new_arguments (
    Model *model, SrganKerasCall *call, JsonObject *object, GError **error)
{
  JsonArray *array = srgan_keras_get_array (object, "args");

  for (guint i = 0; array != NULL && i < json_array_get_length (array); i++) {
    JsonNode *node = json_array_get_element (array, i);
    gchar *value = find_keras_tensor (model, node);
    JsonArray *list =
        JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
    gboolean values = FALSE;

    for (guint j = 0; list != NULL && j < json_array_get_length (list); j++) {
      gchar *inner =
          find_keras_tensor (model, json_array_get_element (list, j));

      if (inner == NULL && values)
        return fail_node (error);
      if (inner == NULL)
        break;
      add_argument (call, inner, NULL);
      values = TRUE;
    }
    if (!values)
      add_argument (call, value, value == NULL ? node : NULL);
  }
  add_keywords (model, call, srgan_keras_get_object (object, "kwargs"));
  return TRUE;
}

/* Puts @from's value where @to is asked for. */
static void
alias (SrganKeras *self, const gchar *from, const gchar *to)
{
  srgan_graph_add_simple (self->graph, SRGAN_NODE_IDENTITY, from, to);
  srgan_keras_set_channels (self, to, srgan_keras_get_channels (self, from));
}

/* Adds the nodes of a call; FALSE with the layer named. */
static gboolean
finish_call (Model *model, Layer *layer, SrganKerasCall *call, guint number,
    GError **error)
{
  SrganKeras *self = model->self;
  gboolean done;

  if (++self->n_calls > SRGAN_GRAPH_MAX_NODES) {
    done = srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "layers are called more than %u times", SRGAN_GRAPH_MAX_NODES);
  } else if (layer->is_model) {
    g_autofree gchar *prefix =
        g_strdup_printf ("%s%s\001%u/", model->prefix, layer->name, number);
    g_autoptr (GPtrArray) inputs = g_ptr_array_new ();
    g_autoptr (GPtrArray) outputs = g_ptr_array_new_with_free_func (g_free);
    JsonObject *description = json_object_new ();

    json_object_set_string_member (
        description, "class_name", layer->class_name);
    json_object_set_object_member (
        description, "config", json_object_ref (layer->config));
    for (guint i = 0; i < call->arguments->len; i++)
      g_ptr_array_add (
          inputs, (gpointer) srgan_keras_get_value (self, call, i));
    done = add_model (self, description, &layer->place, prefix,
        model->depth + 1, inputs, outputs, error);
    json_object_unref (description);
    for (guint i = 0; done && i < outputs->len; i++) {
      g_autofree gchar *value = make_value (model, layer->name, number, i);

      alias (self, g_ptr_array_index (outputs, i), value);
    }
  } else {
    done = srgan_keras_add_call (self, call, error);
  }
  /* of models in models: the innermost layer */
  if (!done && !g_str_has_prefix ((*error)->message, "layer '")) {
    g_autofree gchar *quoted = srgan_convert_quote (layer->name, -1);
    g_autofree gchar *class_name = srgan_convert_quote (layer->class_name, -1);

    g_prefix_error (error, "layer '%s' (%s): ", quoted, class_name);
  }
  return done;
}

static gboolean
add_node (
    Model *model, Layer *layer, guint number, JsonNode *node, GError **error)
{
  g_autofree gchar *output = make_value (model, layer->name, number, 0);
  SrganKerasCall *call =
      new_call (&layer->place, model->prefix, layer->config, output);
  gboolean done;

  if (JSON_NODE_HOLDS_OBJECT (node))
    done = add_new_arguments (model, call, json_node_get_object (node), error);
  else
    done = add_old_arguments (model, call, node, error);
  done = done && finish_call (model, layer, call, number, error);
  free_call (call);
  return done;
}

/* The shape of an input of the whole, batch first. */
static JsonArray *
find_shape (JsonObject *config)
{
  static const gchar *const names[] = {
      "batch_input_shape", "batch_shape", "build_input_shape"};

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    JsonArray *shape = srgan_keras_get_array (config, names[i]);

    if (shape != NULL)
      return shape;
  }
  return NULL;
}

/* The picture. */
static void
add_picture (
    Model *model, const gchar *value, JsonObject *config, gboolean *known)
{
  JsonArray *shape = find_shape (config);
  gint64 dimensions[SRGAN_GRAPH_MAX_RANK] = {0};
  gboolean last = TRUE;
  guint rank = 4;

  if (shape != NULL && json_array_get_length (shape) > 0) {
    rank = MIN (json_array_get_length (shape), SRGAN_GRAPH_MAX_RANK);
    for (guint i = 0; i < rank; i++)
      if (!as_integer (json_array_get_element (shape, i), &dimensions[i]))
        dimensions[i] = 0;
  }
  if (rank == 4)
    last = !((dimensions[1] == 1 || dimensions[1] == 3) && dimensions[3] != 1 &&
             dimensions[3] != 3);
  srgan_graph_add_input (model->self->graph, value, rank, dimensions, last);
  if (rank == 4 && dimensions[last ? 3 : 1] > 0 &&
      dimensions[last ? 3 : 1] < G_MAXINT32)
    srgan_keras_set_channels (
        model->self, value, (guint) dimensions[last ? 3 : 1]);
  if (known != NULL)
    *known = shape != NULL;
}

static gboolean
is_input_class (const gchar *class_name)
{
  return strcmp (class_name, "InputLayer") == 0;
}

static gboolean
add_sequential (Model *model, JsonObject *config, GPtrArray *inputs,
    GPtrArray *outputs, GError **error)
{
  g_autofree gchar *value = g_strconcat (model->prefix, "\001input", NULL);
  guint first = 0;

  if (model->layers->len == 0)
    return srgan_convert_corrupt (error, "a model without layers");
  if (inputs != NULL && inputs->len > 0 &&
      g_ptr_array_index (inputs, 0) != NULL) {
    alias (model->self, g_ptr_array_index (inputs, 0), value);
  } else {
    Layer *layer = &g_array_index (model->layers, Layer, 0);
    JsonObject *inner = layer->config;

    /* a model that begins with a model */
    for (guint i = 0; i < SRGAN_KERAS_MAX_DEPTH && find_shape (inner) == NULL;
         i++) {
      JsonArray *list = srgan_keras_get_array (inner, "layers");
      JsonNode *node = list != NULL && json_array_get_length (list) > 0
                           ? json_array_get_element (list, 0)
                           : NULL;

      if (node == NULL || !JSON_NODE_HOLDS_OBJECT (node))
        break;
      inner = srgan_keras_get_object (json_node_get_object (node), "config");
    }
    add_picture (
        model, value, find_shape (inner) != NULL ? inner : config, NULL);
  }
  if (is_input_class (g_array_index (model->layers, Layer, 0).class_name))
    first = 1;
  for (guint i = first; i < model->layers->len; i++) {
    Layer *layer = &g_array_index (model->layers, Layer, i);
    g_autofree gchar *output = make_value (model, layer->name, 0, 0);
    SrganKerasCall *call =
        new_call (&layer->place, model->prefix, layer->config, output);
    gboolean done;

    add_argument (call, g_steal_pointer (&value), NULL);
    value = g_strdup (output);
    done = finish_call (model, layer, call, 0, error);
    free_call (call);
    if (!done)
      return FALSE;
  }
  g_ptr_array_add (outputs, g_steal_pointer (&value));
  return TRUE;
}

/* [["a", 0, 0], ["b", 0, 0]], or one of these by itself; also as Keras 3's
 * tensors. */
static gboolean
list_values (Model *model, JsonObject *config, const gchar *name,
    GPtrArray *values, GError **error)
{
  JsonArray *array = srgan_keras_get_array (config, name);

  if (array == NULL || json_array_get_length (array) == 0)
    return srgan_convert_corrupt (error, "a model without %s", name);
  if (as_string (json_array_get_element (array, 0)) != NULL) {
    gchar *value = find_value (model, array, 0);

    if (value != NULL)
      g_ptr_array_add (values, value);
  } else {
    for (guint i = 0; i < json_array_get_length (array); i++) {
      JsonNode *node = json_array_get_element (array, i);
      gchar *value = JSON_NODE_HOLDS_ARRAY (node)
                         ? find_value (model, json_node_get_array (node), 0)
                         : find_keras_tensor (model, node);

      if (value == NULL)
        break;
      g_ptr_array_add (values, value);
    }
  }
  if (values->len == 0)
    return srgan_convert_corrupt (error, "%s that are not understood", name);
  return TRUE;
}

static gboolean
add_functional (Model *model, JsonObject *config, GPtrArray *inputs,
    GPtrArray *outputs, GError **error)
{
  g_autoptr (GPtrArray) own = g_ptr_array_new_with_free_func (g_free);

  if (!list_values (model, config, "input_layers", own, error) ||
      !list_values (model, config, "output_layers", outputs, error))
    return FALSE;
  for (guint i = 0; inputs != NULL && i < MIN (own->len, inputs->len); i++)
    if (g_ptr_array_index (inputs, i) != NULL)
      alias (model->self, g_ptr_array_index (inputs, i),
          g_ptr_array_index (own, i));
  for (guint i = 0; i < model->layers->len; i++) {
    Layer *layer = &g_array_index (model->layers, Layer, i);

    if (is_input_class (layer->class_name)) {
      if (inputs == NULL) {
        g_autofree gchar *value = make_value (model, layer->name, 0, 0);

        add_picture (model, value, layer->config, NULL);
      }
      continue;
    }
    for (guint j = 0;
         layer->nodes != NULL && j < json_array_get_length (layer->nodes); j++)
      if (!add_node (model, layer, j, json_array_get_element (layer->nodes, j),
              error)) {
        if (!g_str_has_prefix ((*error)->message, "layer '")) {
          g_autofree gchar *quoted = srgan_convert_quote (layer->name, -1);

          g_prefix_error (error, "layer '%s': ", quoted);
        }
        return FALSE;
      }
  }
  return TRUE;
}

/* @inputs: the values that it is called with; NULL for the outermost. */
static gboolean
add_model (SrganKeras *self, JsonObject *description,
    const SrganKerasPlace *outer, const gchar *prefix, guint depth,
    GPtrArray *inputs, GPtrArray *outputs, GError **error)
{
  Model model = {self, outer, prefix, depth};
  JsonObject *config = srgan_keras_get_object (description, "config");
  JsonArray *layers = srgan_keras_get_array (description, "config");
  gboolean done;

  if (depth > SRGAN_KERAS_MAX_DEPTH)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "models more than %d deep in each other", SRGAN_KERAS_MAX_DEPTH);
  /* a list in place of a config, in an object in place of a layer's */
  if (layers == NULL)
    layers = srgan_keras_get_array (config, "layers");
  if (layers == NULL && config != NULL)
    layers = srgan_keras_get_array (config, "config");
  if (layers == NULL)
    return srgan_convert_corrupt (error, "a model without layers");
  if (json_array_get_length (layers) > SRGAN_GRAPH_MAX_NODES)
    return srgan_convert_fail (error, SRGAN_ERROR_TOO_LARGE,
        "more than %u layers", SRGAN_GRAPH_MAX_NODES);
  model.layers = g_array_new (FALSE, FALSE, sizeof (Layer));
  model.by_name = g_hash_table_new (g_str_hash, g_str_equal);
  done = fill_layers (&model, layers, error);
  if (done && config != NULL &&
      srgan_keras_get_array (config, "output_layers") != NULL)
    done = add_functional (&model, config, inputs, outputs, error);
  else if (done)
    done = add_sequential (&model, config != NULL ? config : get_no_config (),
        inputs, outputs, error);
  g_hash_table_unref (model.by_name);
  g_array_unref (model.layers);
  return done;
}

gboolean
srgan_keras_add_model (SrganGraph *graph, JsonObject *model,
    SrganKerasWeights *weights, gboolean javascript, GError **error)
{
  SrganKeras self = {graph, weights, javascript};
  g_autoptr (GPtrArray) outputs = g_ptr_array_new_with_free_func (g_free);
  GError *reason = NULL;
  gboolean done;

  self.channels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  done = add_model (&self, model, NULL, "", 0, NULL, outputs, &reason);
  for (guint i = 0; done && i < outputs->len; i++)
    srgan_graph_add_output (graph, g_ptr_array_index (outputs, i));
  g_hash_table_unref (self.channels);
  if (!done)
    g_propagate_error (error, reason);
  return done;
}

/* convert: the program that reads HDF5 files for libsrgan-convert.
 *
 *   srgan-hdf5 SIZE LIMIT
 *
 * Takes a file of SIZE bytes on its input and puts its groups, its attributes
 * that are text and its numbers, LIMIT bytes at most, on its output, see
 * convert/hdf5-answer.h. libhdf5 is not made for files that mean harm, so it
 * works on them here, in a process that may not open any file, nor write one,
 * nor take more memory or time than a model needs. Nothing leads out of the
 * file: links to other files, external and virtual storage are refused, and
 * filters are not loaded.
 *
 * SPDX-License-Identifier: MIT
 */
#include "convert/hdf5-answer.h"

#include <errno.h>
#include <hdf5.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#define MAX_DEPTH 32
#define CPU_SECONDS 20
/* The program itself, and what libhdf5 keeps. */
#define OWN_MEMORY (UINT64_C (160) << 20)

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif

static uint64_t left;      /* bytes of numbers that may still be given */
static uint64_t text_left; /* likewise of attributes */
static unsigned n_records;

/* --- Saying -------------------------------------------------------------- */

static void
put (const void *bytes, size_t n)
{
  const char *at = bytes;

  while (n > 0) {
    ssize_t written = write (STDOUT_FILENO, at, n);

    if (written < 0 && errno == EINTR)
      continue;
    if (written <= 0)
      _exit (1); /* nobody listens */
    at += written;
    n -= (size_t) written;
  }
}

__attribute__ ((noreturn, format (printf, 2, 3))) static void
fail (SrganHdf5Kind kind, const char *format, ...)
{
  char text[1024];
  va_list arguments;
  SrganHdf5Head head = {.kind = kind};

  va_start (arguments, format);
  vsnprintf (text, sizeof text, format, arguments);
  va_end (arguments);
  head.data_length = strlen (text);
  put (&head, sizeof head);
  put (text, head.data_length);
  _exit (0);
}

static void
put_record (SrganHdf5Kind kind, const char *name, const void *data,
    uint64_t n_bytes, unsigned rank, const hsize_t *dimensions)
{
  SrganHdf5Head head = {.kind = kind, .data_length = n_bytes, .rank = rank};
  size_t length = strlen (name);

  if (++n_records > SRGAN_HDF5_MAX_RECORDS)
    fail (SRGAN_HDF5_ERROR, "it holds more than %d things",
        SRGAN_HDF5_MAX_RECORDS);
  if (length > SRGAN_HDF5_MAX_NAME)
    fail (SRGAN_HDF5_ERROR, "a name of %zu bytes", length);
  head.name_length = (uint32_t) length;
  for (unsigned i = 0; i < rank; i++)
    head.dimensions[i] = dimensions[i];
  put (&head, sizeof head);
  put (name, length);
  put (data, n_bytes);
}

/* --- Limits -------------------------------------------------------------- */

static void
set_limit (int resource, rlim_t most)
{
  /* beyond the softer one of the processor's time: SIGXCPU, which tells */
  struct rlimit limit = {most, resource == RLIMIT_CPU ? most + 1 : most};

  if (setrlimit (resource, &limit) != 0)
    fail (SRGAN_HDF5_REFUSED, "limits could not be set: %s", strerror (errno));
}

/* What the program that started us has left open. */
static void
close_others (void)
{
#if defined(__GLIBC__) && __GLIBC_PREREQ(2, 34)
  closefrom (STDERR_FILENO + 1);
#else
  long n = sysconf (_SC_OPEN_MAX);

  for (long i = STDERR_FILENO + 1; i < (n > 0 && n < 65536 ? n : 65536); i++)
    close ((int) i);
#endif
}

/* --- The file in memory -------------------------------------------------- */

/* libhdf5 would copy the file twice; it may read it where it is. */

static void *
image_malloc (size_t size, H5FD_file_image_op_t op, void *image)
{
  return image;
}

static void *
image_memcpy (void *to, const void *from, size_t size, H5FD_file_image_op_t op,
    void *image)
{
  return to == from ? to : NULL;
}

static void *
image_realloc (void *at, size_t size, H5FD_file_image_op_t op, void *image)
{
  return NULL; /* it is only read */
}

static herr_t
image_free (void *at, H5FD_file_image_op_t op, void *image)
{
  return 0;
}

static void *
image_copy_data (void *image)
{
  return image;
}

static herr_t
image_free_data (void *image)
{
  return 0;
}

static hid_t
open_image (void *image, size_t size)
{
  H5FD_file_image_callbacks_t callbacks = {image_malloc, image_memcpy,
      image_realloc, image_free, image_copy_data, image_free_data, image};
  hid_t access = H5Pcreate (H5P_FILE_ACCESS);

  if (access < 0 || H5Pset_fapl_core (access, 65536, 0) < 0 ||
      H5Pset_file_image_callbacks (access, &callbacks) < 0 ||
      H5Pset_file_image (access, image, size) < 0)
    fail (SRGAN_HDF5_REFUSED, "libhdf5 cannot read from memory");
  return H5Fopen ("model", H5F_ACC_RDONLY, access);
}

/* --- Attributes ---------------------------------------------------------- */

typedef struct {
  const char *path;
  unsigned depth;
} Place;

static char *
join (const char *path, char between, const char *name)
{
  size_t length = strlen (path) + strlen (name) + 2;
  char *joined;

  if (length > SRGAN_HDF5_MAX_NAME)
    fail (SRGAN_HDF5_ERROR, "a name of %zu bytes", length);
  joined = malloc (length);
  if (joined == NULL)
    fail (SRGAN_HDF5_ERROR, "it asks for more memory than a model needs");
  length = strlen (path);
  memcpy (joined, path, length);
  if (length > 0 || between != '/')
    joined[length++] = between;
  strcpy (joined + length, name);
  return joined;
}

/* Adds @n bytes of @from and a zero to a text; what is beyond a zero in @from
 * is filling. */
static void
append (char **text, size_t *length, const char *from, size_t n)
{
  size_t used = strnlen (from, n);
  char *grown;

  if (used + 1 > text_left)
    fail (SRGAN_HDF5_ERROR, "its attributes are larger than any model's");
  text_left -= used + 1;
  grown = realloc (*text, *length + used + 1);
  if (grown == NULL)
    fail (SRGAN_HDF5_ERROR, "it asks for more memory than a model needs");
  memcpy (grown + *length, from, used);
  grown[*length + used] = '\0';
  *length += used + 1;
  *text = grown;
}

static void
read_strings (hid_t attribute, const char *name)
{
  hid_t type = H5Aget_type (attribute);
  hid_t space = H5Aget_space (attribute);
  hssize_t n = space >= 0 ? H5Sget_simple_extent_npoints (space) : -1;
  char *text = NULL;
  size_t length = 0;

  if (type >= 0 && n > 0 && n <= SRGAN_HDF5_MAX_RECORDS &&
      H5Tget_class (type) == H5T_STRING) {
    if (H5Tis_variable_str (type) > 0) {
      hid_t memory = H5Tcopy (H5T_C_S1);
      char **strings = calloc ((size_t) n, sizeof *strings);

      if (memory < 0 || strings == NULL ||
          H5Tset_size (memory, H5T_VARIABLE) < 0 ||
          H5Tset_cset (memory, H5Tget_cset (type)) < 0 ||
          H5Aread (attribute, memory, strings) < 0)
        fail (SRGAN_HDF5_ERROR, "attribute '%.60s' cannot be read", name);
      for (hssize_t i = 0; i < n; i++)
        if (strings[i] != NULL)
          append (&text, &length, strings[i], strlen (strings[i]));
        else
          append (&text, &length, "", 0);
      H5Dvlen_reclaim (memory, space, H5P_DEFAULT, strings);
      free (strings);
      H5Tclose (memory);
    } else {
      size_t size = H5Tget_size (type);
      char *strings = NULL;

      if (size > 0 && size <= text_left / (size_t) n)
        strings = malloc (size * (size_t) n);
      if (strings == NULL || H5Aread (attribute, type, strings) < 0)
        fail (SRGAN_HDF5_ERROR, "attribute '%.60s' cannot be read", name);
      for (hssize_t i = 0; i < n; i++)
        append (&text, &length, strings + (size_t) i * size, size);
      free (strings);
    }
    put_record (SRGAN_HDF5_ATTRIBUTE, name, text, length, 0, NULL);
    free (text);
  }
  if (space >= 0)
    H5Sclose (space);
  if (type >= 0)
    H5Tclose (type);
}

static herr_t
read_attribute (
    hid_t object, const char *name, const H5A_info_t *info, void *data)
{
  const Place *place = data;
  hid_t attribute;
  char *full;

  /* how it was trained is nothing to us */
  if (strcmp (name, "training_config") == 0)
    return 0;
  full = join (place->path, '@', name);
  attribute = H5Aopen (object, name, H5P_DEFAULT);
  if (attribute < 0)
    fail (SRGAN_HDF5_ERROR, "attribute '%.60s' cannot be read", full);
  read_strings (attribute, full);
  H5Aclose (attribute);
  free (full);
  return 0;
}

/* --- Numbers ------------------------------------------------------------- */

static void
check_storage (hid_t set, const char *path)
{
  hid_t how = H5Dget_create_plist (set);
  int n_filters;

  if (how < 0)
    fail (SRGAN_HDF5_ERROR, "dataset '%.60s' is damaged", path);
  if (H5Pget_external_count (how) != 0)
    fail (SRGAN_HDF5_REFUSED,
        "refused: the numbers of '%.60s' lie in another file", path);
  if (H5Pget_layout (how) == H5D_VIRTUAL)
    fail (SRGAN_HDF5_REFUSED,
        "refused: '%.60s' is put together from other files", path);
  n_filters = H5Pget_nfilters (how);
  for (int i = 0; i < n_filters; i++) {
    unsigned flags, config;
    size_t n_values = 0;
    H5Z_filter_t filter = H5Pget_filter2 (
        how, (unsigned) i, &flags, &n_values, NULL, 0, NULL, &config);

    if (filter != H5Z_FILTER_DEFLATE && filter != H5Z_FILTER_SHUFFLE &&
        filter != H5Z_FILTER_FLETCHER32)
      fail (SRGAN_HDF5_REFUSED,
          "'%.60s' is compressed by HDF5's filter %d; only gzip is read", path,
          (int) filter);
  }
  H5Pclose (how);
}

static void
read_numbers (hid_t set, const char *path)
{
  hid_t type = H5Dget_type (set);
  hid_t space = H5Dget_space (set);
  hsize_t dimensions[SRGAN_HDF5_MAX_RANK] = {0};
  uint64_t n_bytes = sizeof (float);
  H5T_class_t class = type >= 0 ? H5Tget_class (type) : H5T_NO_CLASS;
  int rank = space >= 0 ? H5Sget_simple_extent_ndims (space) : -1;
  float *numbers;

  if (rank < 0)
    fail (SRGAN_HDF5_ERROR, "dataset '%.60s' is damaged", path);
  if ((class == H5T_FLOAT || class == H5T_INTEGER) &&
      rank <= SRGAN_HDF5_MAX_RANK &&
      H5Sget_simple_extent_type (space) != H5S_NULL) {
    check_storage (set, path);
    if (rank > 0 && H5Sget_simple_extent_dims (space, dimensions, NULL) < 0)
      fail (SRGAN_HDF5_ERROR, "dataset '%.60s' is damaged", path);
    for (int i = 0; i < rank; i++) {
      if (dimensions[i] > 0 && n_bytes > left / dimensions[i])
        fail (SRGAN_HDF5_ERROR,
            "'%.60s' has more numbers than a file of this size can hold", path);
      n_bytes *= dimensions[i];
    }
    if (n_bytes > left)
      fail (SRGAN_HDF5_ERROR,
          "it has more numbers than a file of this size can hold");
    left -= n_bytes;
    numbers = malloc (n_bytes > 0 ? n_bytes : 1);
    if (numbers == NULL)
      fail (SRGAN_HDF5_ERROR, "no memory for the numbers of '%.60s'", path);
    if (n_bytes > 0 && H5Dread (set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL,
                           H5P_DEFAULT, numbers) < 0)
      fail (SRGAN_HDF5_ERROR,
          "the numbers of '%.60s' cannot be read: the file is damaged, or they "
          "take more memory than a model's",
          path);
    put_record (
        SRGAN_HDF5_TENSOR, path, numbers, n_bytes, (unsigned) rank, dimensions);
    free (numbers);
  }
  if (space >= 0)
    H5Sclose (space);
  if (type >= 0)
    H5Tclose (type);
}

/* --- Groups -------------------------------------------------------------- */

static void read_group (hid_t group, const Place *place);

static herr_t
read_link (hid_t group, const char *name, const H5L_info_t *info, void *data)
{
  const Place *place = data;
  char *path = join (place->path, '/', name);
  Place inner = {path, place->depth + 1};
  hid_t object;

  if (info->type == H5L_TYPE_SOFT) {
    free (path);
    return 0; /* another name for something of this file, or for nothing */
  }
  if (info->type != H5L_TYPE_HARD)
    fail (SRGAN_HDF5_REFUSED,
        "refused: '%.60s' is a link that leads out of the file", path);
  if (strcmp (path, "optimizer_weights") == 0 ||
      strcmp (path, "optimizer") == 0) {
    free (path);
    return 0;
  }
  object = H5Oopen (group, name, H5P_DEFAULT);
  if (object < 0)
    fail (SRGAN_HDF5_ERROR, "'%.60s' cannot be opened: the file is damaged",
        path);
  switch (H5Iget_type (object)) {
  case H5I_GROUP:
    read_group (object, &inner);
    break;
  case H5I_DATASET:
    read_numbers (object, path);
    break;
  default:
    break;
  }
  H5Oclose (object);
  free (path);
  return 0;
}

static void
read_group (hid_t group, const Place *place)
{
  if (place->depth > MAX_DEPTH)
    fail (
        SRGAN_HDF5_ERROR, "groups more than %d deep in each other", MAX_DEPTH);
  put_record (SRGAN_HDF5_GROUP, place->path, NULL, 0, 0, NULL);
  if (H5Aiterate2 (group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, read_attribute,
          (void *) place) < 0 ||
      H5Literate (group, H5_INDEX_NAME, H5_ITER_NATIVE, NULL, read_link,
          (void *) place) < 0)
    fail (SRGAN_HDF5_ERROR, "group '%.60s' is damaged", place->path);
}

int
main (int argc, char **argv)
{
  const Place root = {"", 0};
  uint64_t size, n_read = 0;
  char *image;
  hid_t file, group;

  if (argc != 3) {
    fprintf (stderr, "srgan-hdf5: a part of libsrgan-convert, which starts it; "
                     "srgan-convert reads HDF5 files\n");
    return 2;
  }
  size = strtoull (argv[1], NULL, 10);
  left = strtoull (argv[2], NULL, 10);
  text_left = SRGAN_HDF5_MAX_TEXT;
  close_others ();
  put (SRGAN_HDF5_MAGIC, strlen (SRGAN_HDF5_MAGIC));

  set_limit (RLIMIT_CORE, 0);
  set_limit (RLIMIT_CPU, CPU_SECONDS);
  set_limit (RLIMIT_FSIZE, 0);
  set_limit (RLIMIT_NOFILE, 0);
#ifndef SANITIZED
  set_limit (RLIMIT_AS, (rlim_t) (OWN_MEMORY + 3 * size));
#endif

  image = size > 0 && size < SIZE_MAX / 4 ? malloc (size) : NULL;
  if (image == NULL)
    fail (SRGAN_HDF5_ERROR, "no memory for a file of this size");
  while (n_read < size) {
    ssize_t n = read (STDIN_FILENO, image + n_read, size - n_read);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return 1;
    n_read += (uint64_t) n;
  }

  H5Eset_auto2 (H5E_DEFAULT, NULL, NULL);
  H5PLset_loading_state (0);
  file = open_image (image, size);
  if (file < 0)
    fail (SRGAN_HDF5_ERROR, "it is no HDF5 file, is damaged or cut short");
  group = H5Gopen2 (file, "/", H5P_DEFAULT);
  if (group < 0)
    fail (SRGAN_HDF5_ERROR, "its root group is damaged");
  read_group (group, &root);
  put_record (SRGAN_HDF5_END, "", NULL, 0, 0, NULL);
  /* libhdf5 tidying up is more code to run on that file */
  _exit (0);
}

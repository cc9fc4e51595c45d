/* convert: what the program that reads HDF5 files says to the one that asks.
 *
 * The file goes to the program's input; its output is SRGAN_HDF5_MAGIC and
 * records, each a head, its name and its data, of which SRGAN_HDF5_END or
 * SRGAN_HDF5_ERROR is the last. Both run on the same machine: numbers are in
 * its order.
 *
 * SPDX-License-Identifier: MIT
 */
#pragma once

#include <stdint.h>

#define SRGAN_HDF5_MAGIC "srgan-h5"
#define SRGAN_HDF5_MAX_RANK 8
#define SRGAN_HDF5_MAX_NAME 4096
#define SRGAN_HDF5_MAX_RECORDS 65536
/* Of attributes, in all: a topology takes a megabyte or two. */
#define SRGAN_HDF5_MAX_TEXT (16 * 1024 * 1024)

typedef enum {
  SRGAN_HDF5_END,
  SRGAN_HDF5_GROUP,     /* its path; no data */
  SRGAN_HDF5_ATTRIBUTE, /* "path@name"; strings, a zero after each */
  SRGAN_HDF5_TENSOR,    /* its path; float32 */
  SRGAN_HDF5_ERROR,     /* no name; why, in words */
  SRGAN_HDF5_REFUSED,   /* likewise: valid, but not wanted */
} SrganHdf5Kind;

typedef struct {
  uint32_t kind;
  uint32_t name_length; /* bytes, without a zero at the end */
  uint64_t data_length; /* bytes */
  uint32_t rank;        /* of a tensor */
  uint32_t zero;
  uint64_t dimensions[SRGAN_HDF5_MAX_RANK];
} SrganHdf5Head;

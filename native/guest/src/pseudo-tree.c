#include "pseudo-tree.h"

#include <string.h>
#include <sys/stat.h>

#include "inhibitors.h"
#include "notices.h"

/*
 * Whoever runs in the guest may hold it awake: programs seldom run as root, and who could do harm with it could as well
 * keep a connection open.
 */
static const struct pseudo_node nodes[] = {
    {"", FUSE_ROOT_ID, S_IFDIR | 0555, NULL},
    {"scale_to_zero_disable", FUSE_ROOT_ID, S_IFREG | 0666, &inhibitors_file},
    {"notify", FUSE_ROOT_ID, S_IFREG | 0444, &notices_file},
};
enum { NODES = sizeof nodes / sizeof *nodes };

const struct pseudo_node *pseudo_node(uint64_t number) {
  return number >= FUSE_ROOT_ID && number - FUSE_ROOT_ID < NODES ? &nodes[number - FUSE_ROOT_ID] : NULL;
}

uint64_t pseudo_lookup(uint64_t parent, const char *name) {
  for (uint64_t number = FUSE_ROOT_ID + 1; pseudo_node(number); number++) {
    const struct pseudo_node *node = pseudo_node(number);
    if (node->parent == parent && strcmp(node->name, name) == 0) return number;
  }
  return 0;
}

#include "pseudo-tree.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "children.h"
#include "clone-signal.h"
#include "forks.h"
#include "inhibitors.h"
#include "instance-file.h"
#include "notices.h"
#include "template-request.h"

/*
 * Whoever runs in the guest may hold it awake, and ask for copies of it: programs seldom run as root, and who could do harm with
 * it could as well keep a connection open, or fill the memory. What copies may cost is bounded by the host.
 */
static const struct {
  const char *name;
  mode_t mode;
  const struct pseudo_file *file;
} nodes[] = {
    {"", S_IFDIR | 0555, NULL},
    {"vm", S_IFDIR | 0555, NULL},
    {"scale_to_zero_disable", S_IFREG | 0666, &inhibitors_file},
    {"notify", S_IFREG | 0444, &notices_file},
    {"instance", S_IFREG | 0444, &instance_file},
    {"clone_signal", S_IFREG | 0666, &clone_signal_file},
    {"template_instance", S_IFREG | 0666, &template_request_file},
    {"fork", S_IFREG | 0666, &forks_file},
};
enum { NODES = sizeof nodes / sizeof *nodes };

bool pseudo_node(uint64_t number, struct pseudo_node *node) {
  if (number >= CHILD_NODES) return child_node(number, node);
  if (number < FUSE_ROOT_ID || number - FUSE_ROOT_ID >= NODES) return false;
  uint64_t at = number - FUSE_ROOT_ID;
  *node = (struct pseudo_node){.parent = FUSE_ROOT_ID, .mode = nodes[at].mode, .file = nodes[at].file};
  snprintf(node->name, sizeof node->name, "%s", nodes[at].name);
  return true;
}

uint64_t pseudo_lookup(uint64_t parent, const char *name) {
  if (parent != FUSE_ROOT_ID) return child_lookup(parent, name);
  for (uint64_t at = 1; at < NODES; at++)
    if (strcmp(nodes[at].name, name) == 0) return FUSE_ROOT_ID + at;
  return 0;
}

uint64_t pseudo_next(uint64_t parent, uint64_t after) {
  if (parent != FUSE_ROOT_ID) return child_next(parent, after);
  uint64_t next = after < FUSE_ROOT_ID ? FUSE_ROOT_ID + 1 : after + 1;
  return next - FUSE_ROOT_ID < NODES ? next : 0;
}

void pseudo_interrupt(uint64_t unique) {
  for (size_t at = 0; at < NODES; at++)
    if (nodes[at].file && nodes[at].file->interrupt && nodes[at].file->interrupt(unique)) return;
  child_interrupt(unique);
}

/*
 * What the host asks for: the whole machine (CONFIGURE), that it goes on as another (BECOME), one more process (OPEN_EXEC), or
 * what has changed while it did not run (REFRESH).
 */
#pragma once
#include "bytes.h"
#include "wire.h"

/* A NULL-terminated list of strings. */
struct texts {
  char **items;
  size_t count;
};

struct process_spec {
  struct texts argv, env;
  char *user, *working_directory; /* NULL: not given */
  bool terminal, stdin_open; /* `stdin_open`: the instance's program only */
  uint16_t rows, columns;
};

struct host_moment {
  uint64_t time_us; /* 0: not given */
  uint8_t seed[64];
  size_t seed_length;
};

/* A disk beside the root; see roms.h. */
struct rom {
  char *name, *at; /* `at`: NULL if it is not mounted */
  uint32_t slot;
};

enum { ROMS_MAX = 16, ROM_NAME_MAX = 63, INSTANCE_ID_LENGTH = 36, MAC_LENGTH = 6 };

struct roms {
  struct rom items[ROMS_MAX];
  size_t count;
};

struct self {
  char *hostname, *address, *gateway, *machine_id, *instance_id, *instance_name;
  struct texts nameservers;
  struct roms roms;
};

struct configuration {
  struct self self;
  bool maintenance;
  int stop_signal;
  struct process_spec program;
  struct host_moment moment;
};

struct becoming {
  struct self self;
  struct host_moment moment;
  enum becoming_kind kind;
  uint8_t mac[MAC_LENGTH];
};

struct refreshment {
  struct host_moment moment;
  struct roms roms;
};

/* Each returns false with a reason if the bytes are not such a message. Free the result either way. */
bool parse_configuration(const uint8_t *data, size_t length, struct configuration *config, const char **reason);
bool parse_process(const uint8_t *data, size_t length, struct process_spec *process, const char **reason);
bool parse_becoming(const uint8_t *data, size_t length, struct becoming *becoming, const char **reason);
bool parse_refreshment(const uint8_t *data, size_t length, struct refreshment *refreshment, const char **reason);

void texts_add(struct texts *texts, char *item);
void texts_free(struct texts *texts);
void process_spec_free(struct process_spec *process);
void roms_free(struct roms *roms);
void self_free(struct self *self);
void configuration_free(struct configuration *config);

/* What the host asks for: the whole machine (CONFIGURE), one more process (OPEN_EXEC), or clock and entropy (REFRESH). */
#pragma once
#include "bytes.h"

/* A NULL-terminated list of strings. */
struct texts {
  char **items;
  size_t count;
};

struct process_spec {
  struct texts argv, env;
  char *user, *working_directory; /* NULL: not given */
  bool terminal;
  uint16_t rows, columns;
};

struct host_moment {
  uint64_t time_us; /* 0: not given */
  uint8_t seed[64];
  size_t seed_length;
};

struct configuration {
  char *hostname, *address, *gateway, *machine_id;
  struct texts nameservers;
  bool maintenance;
  int stop_signal;
  struct process_spec program;
  struct host_moment moment;
};

/* Each returns false with a reason if the bytes are not such a message. Free the result either way. */
bool parse_configuration(const uint8_t *data, size_t length, struct configuration *config, const char **reason);
bool parse_process(const uint8_t *data, size_t length, struct process_spec *process, const char **reason);
bool parse_moment(const uint8_t *data, size_t length, struct host_moment *moment, const char **reason);

void texts_add(struct texts *texts, char *item);
void texts_free(struct texts *texts);
void process_spec_free(struct process_spec *process);
void configuration_free(struct configuration *config);

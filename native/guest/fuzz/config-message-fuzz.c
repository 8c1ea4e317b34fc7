#include "config-message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *reason;
  struct configuration config = {0};
  struct process_spec process = {0};
  struct host_moment moment = {0};
  parse_configuration(data, size, &config, &reason);
  parse_process(data, size, &process, &reason);
  parse_moment(data, size, &moment, &reason);
  configuration_free(&config);
  process_spec_free(&process);
  return 0;
}

#include "answers.h"
#include "config-message.h"
#include "wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *reason;
  struct configuration config = {0};
  struct process_spec process = {0};
  struct becoming becoming = {0};
  struct refreshment refreshment = {0};
  parse_configuration(data, size, &config, &reason);
  parse_process(data, size, &process, &reason);
  parse_becoming(data, size, &becoming, &reason);
  parse_refreshment(data, size, &refreshment, &reason);
  for (uint8_t type = TYPE_ANSWER_TEMPLATE; type <= TYPE_CHILD_CHANGED; type++) answer_message(type, data, size);
  configuration_free(&config);
  process_spec_free(&process);
  self_free(&becoming.self);
  roms_free(&refreshment.roms);
  return 0;
}

// Where this code lies: what belongs to it is looked for beside it. Floor 1.
#ifndef OMKIT_BASE_OWN_FILE_H_
#define OMKIT_BASE_OWN_FILE_H_

#include <string>

namespace omkit {

// The absolute path of the program, or of the shared library that this code was linked into. Empty when the system does not tell.
std::string OwnFile();

}  // namespace omkit

#endif  // OMKIT_BASE_OWN_FILE_H_

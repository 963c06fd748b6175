// Gives the runtime plans for shapes that clients ask for. Floor 4; libascendcl, tools and tests that run such models link it.
#ifndef OMKIT_BACKENDS_RANGE_PLANS_H_
#define OMKIT_BACKENDS_RANGE_PLANS_H_

namespace omkit {

// Makes models that take ranges of shapes loadable in this process (runtime/plan_source.h). Returns true.
bool RegisterRangePlans();

}  // namespace omkit

#endif  // OMKIT_BACKENDS_RANGE_PLANS_H_

// accuracy's result as text, as JSON and as one HTML page. Floor 5.
#ifndef OMKIT_TOOLS_ACCURACY_REPORT_H_
#define OMKIT_TOOLS_ACCURACY_REPORT_H_

#include <string>

#include "tools/accuracy/measure.h"

namespace omkit::accuracy {

std::string TextReport(const Result& result);
// Keys carry their units: *_db, *_percent; parts are in [0, 1].
std::string JsonReport(const Result& result);
// Needs no other file: styles, plots (SVG) and data are inside. Light or dark as the reader's system asks.
std::string HtmlReport(const Result& result);

// Noise to signal as dB; 200 for no noise.
double NoiseDb(double noise);

}  // namespace omkit::accuracy

#endif  // OMKIT_TOOLS_ACCURACY_REPORT_H_

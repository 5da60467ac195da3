// MMSB in five minutes, in C++17: a thermostat keeps its readings in a state in memory.
//
//     c++ -std=c++17 quickstart.cpp $(pkg-config --cflags --libs mmsb) -o quickstart_cpp

#include <mmsb.hpp>

#include <iostream>

namespace {

double reading(const mmsb::Page &room) { return room.view().as<double>()[0]; }

void measure(const mmsb::Page &room, double degrees) {
    room.update(mmsb::Bytes(&degrees, sizeof degrees), "sensor");
}

// Both rooms change at once. If the function threw, neither would.
void calibrate(mmsb::State &state, const mmsb::Page &kitchen, const mmsb::Page &hall) {
    const std::array<double, 1> degrees{20.0};
    state.transact(
        [&](mmsb::Batch &batch) {
            batch.update(kitchen.id(), degrees);
            batch.update(hall.id(), degrees);
        },
        {"service", "yearly calibration"});
}

void tell_history(mmsb::State &state, const mmsb::Page &page) {
    mmsb::Query query;
    query.page = page.id();
    for (const mmsb::Change &change : state.query(query)) {
        std::cout << "history: " << change.source() << ", epoch " << change.epoch() << ", "
                  << change.payload().size() << " bytes";
        if (auto why = change.intent()) std::cout << ", " << *why;
        std::cout << '\n';
    }
}

void run() {
    auto state = mmsb::State::memory();
    auto kitchen = state.create_page(sizeof(double), {MMSB_LOCATION_CPU, {"setup", "one room"}});
    auto hall = state.create_page(sizeof(double), {MMSB_LOCATION_CPU, {"setup", "another"}});

    measure(kitchen, 21.5);
    const mmsb::Lsn then = kitchen.lsn();
    calibrate(state, kitchen, hall);

    auto snapshot = state.snapshot();
    auto view = kitchen.view();
    measure(kitchen, 22.5);
    std::cout << "view: the kitchen has " << reading(kitchen) << " now, it had "
              << view.as<double>()[0] << " at epoch " << snapshot.page_epoch(kitchen.id()) << '\n';

    tell_history(state, kitchen);
    auto past = state.replay_to(then);
    std::cout << "replay: the kitchen had " << reading(past.page(kitchen.id())) << '\n';

    try {
        kitchen.write(6, "too long");
    } catch (const mmsb::Error &error) {
        std::cout << "error: " << error.name() << ": " << error.what() << '\n';
    }
    state.close(); // the destructor would, too, but could not say how it went
}

} // namespace

int main() {
    try {
        run();
    } catch (const std::exception &error) {
        std::cerr << "error: " << error.what() << '\n';
        return 1;
    }
    return 0;
}

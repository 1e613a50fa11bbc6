import Settings
import Testing

@testable import Sensing

@Suite struct IIODriverTests {
    private static let folder = "/sys/bus/iio/devices/iio:device0"

    /// A device of one name and some attributes.
    private static func device(_ name: String, _ attributes: KeyValuePairs<String, String>) throws -> FakeTree {
        let tree = try FakeTree(["\(folder)/name": "\(name)\n"])
        for (attribute, text) in attributes { try tree.write("\(folder)/\(attribute)", "\(text)\n") }
        return tree
    }

    @Test(
        "Every type of channel has its unit, by the kernel's own",
        arguments: [
            ("in_voltage0_input", "1500", "1.5 V"), ("in_altvoltage0_input", "230000", "230.0 V"),
            ("in_current1_input", "-20", "-0.02 A"), ("in_power2_input", "500", "0.5 W"),
            ("in_energy_input", "12", "12.0 J"), ("in_temp_input", "25080.000000000", "25.08 °C"),
            ("in_temp_object_input", "-40000", "-40.0 °C"), ("in_humidityrelative_input", "43250", "43.25 %"),
            ("in_pressure_input", "100.653", "1006.53 hPa"), ("in_distance_input", "0.832", "0.832 m"),
            ("in_proximity0_input", "12", "12.0"), ("in_illuminance_input", "120.5", "120.5 lx"),
            ("in_intensity_both_input", "77", "77.0"), ("in_uvindex_input", "3", "3.0"),
            ("in_resistance0_input", "4700", "4700.0 Ω"), ("in_capacitance0_input", "10", "10.0 nF"),
            ("in_concentration_co2_input", "0.0415", "0.0415 %"),
            ("in_massconcentration_pm2p5_input", "8.5", "8.5 µg/m³"),
            ("in_electricalconductivity_input", "1.4", "1.4 S/m"), ("in_ph_input", "7.1", "7.1"),
            ("in_accel_x_input", "9.8", "9.8 m/s²"), ("in_gravity_z_input", "9.81", "9.81 m/s²"),
            ("in_anglvel_z_input", "0.5", "0.5 rad/s"), ("in_angl0_input", "1.5", "1.5 rad"),
            ("in_incli_x_input", "12", "12.0 °"), ("in_magn_y_input", "0.48", "0.48 G"),
            ("in_velocity_sqrt(x^2+y^2+z^2)_input", "2", "2.0 m/s"), ("in_steps_input", "812", "812.0"),
            ("in_activity_walking_input", "75", "75.0 %"), ("in_count0_input", "5", "5.0"),
            ("in_positionrelative_x_input", "50000", "50.0 %"), ("in_phase0_input", "3", "3.0 rad"),
            ("in_colortemp_input", "5600", "5600.0 K"), ("in_power0_reactive_input", "1000", "1.0 var"),
        ])
    func units(attribute: String, text: String, value: String) throws {
        let driver = try make(IIODriver.self, ["device": "x"], in: try Self.device("x", [attribute: text]))
        #expect(try Array(driver.values().values) == [value])
    }

    @Test(
        "Scale and offset are a channel's own, its kind's or everybody's",
        arguments: [
            (["in_voltage0_raw": "1000", "in_voltage0_scale": "2"], "2.0 V"),
            (["in_voltage0_raw": "1000", "in_voltage0_scale": "2", "in_voltage_scale": "3"], "2.0 V"),
            (["in_voltage1_raw": "1000", "in_voltage_scale": "3"], "3.0 V"),
            (["in_voltage1_raw": "1000", "in_scale": "4"], "4.0 V"),
            (["in_voltage1_raw": "1000", "scale": "5"], "5.0 V"),
            (["in_voltage1-voltage2_raw": "-8", "in_voltage-voltage_scale": "0.5"], "-0.004 V"),
            (["in_accel_x_raw": "16384", "in_accel_scale": "0.000598"], "9.797632 m/s²"),
            (["in_temp_raw": "2100", "in_temp_offset": "-600", "in_temp_scale": "10"], "15.0 °C"),
            (["in_concentration_co2_raw": "415", "in_concentration_co2_scale": "0.0001"], "0.0415 %"),
            (["in_illuminance_ir_raw": "10", "in_illuminance_scale": "0.1"], "1.0 lx"),
            (["in_voltage0_raw": "3", "in_voltage0_scale": "1.1"], "0.0033 V"),
        ] as [([String: String], String)])
    func scaling(attributes: [String: String], value: String) throws {
        let tree = try FakeTree(["\(Self.folder)/name": "x\n"])
        for (attribute, text) in attributes { try tree.write("\(Self.folder)/\(attribute)", "\(text)\n") }
        let driver = try make(IIODriver.self, ["device": "x"], in: tree)
        #expect(try Array(driver.values().values) == [value])
    }

    @Test("The kernel's own value goes before the raw one, unless that is asked for") func forms() throws {
        let tree = try Self.device("x", ["in_temp_input": "25000", "in_temp_raw": "400", "in_temp_scale": "62.5"])
        #expect(try make(IIODriver.self, ["device": "x"], in: tree).values() == ["temp": "25.0 °C"])
        let raw = try make(IIODriver.self, ["device": "x", "channel": "temp", "value": "raw"], in: tree)
        #expect(try raw.values() == ["": "400.0"])
    }

    @Test("A channel is asked for by its name or label; all come with the label") func labels() throws {
        let tree = try Self.device(
            "adc",
            [
                "in_voltage0_raw": "1", "in_voltage0_label": "battery", "in_voltage1_raw": "2",
                "in_voltage2_raw": "3", "in_voltage2_label": "twin", "in_voltage3_raw": "4",
                "in_voltage3_label": "twin",
            ])
        let all = try make(IIODriver.self, ["device": "adc", "value": "raw"], in: tree)
        #expect(try all.values() == ["battery": "1.0", "voltage1": "2.0", "voltage2": "3.0", "voltage3": "4.0"])
        for name: Options in [
            ["device": "adc", "value": "raw", "channel": "battery"],
            ["device": "adc", "value": "raw", "channel": "voltage0"],
        ] {
            #expect(try make(IIODriver.self, name, in: tree).values() == ["": "1.0"])
        }
        let two = try make(
            IIODriver.self, ["device": "adc", "value": "raw", "channel": ["voltage0", "voltage3"]], in: tree)
        #expect(try two.values() == ["voltage0": "1.0", "voltage3": "4.0"])
        let absent = try make(
            IIODriver.self, ["device": "adc", "value": "raw", "channel": ["voltage1", "temp"]], in: tree)
        let error = try #require(absent.failure())
        #expect(
            error.text(in: tree)
                == #"/sys/bus/iio/devices/iio:device0 (adc) has no channel "temp"; it has battery (voltage0), voltage1, voltage2, voltage3"#
        )
        #expect(error.measured == [Measurement(channel: "voltage1", .number(2))])
    }

    @Test("Devices are found by name, label or place, wherever their number is") func devices() throws {
        let tree = try FakeTree()
        for (number, (place, label)) in [("1-0076", ""), ("1-0077", "roof")].enumerated() {
            let folder = "/sys/devices/platform/i2c-1/\(place)/iio:device\(number + 3)"
            try tree.write("\(folder)/name", "bme280\n")
            try tree.write("\(folder)/in_temp_input", "\(number + 1)000\n")
            if !label.isEmpty { try tree.write("\(folder)/label", "\(label)\n") }
            try tree.link(
                "/sys/bus/iio/devices/iio:device\(number + 3)",
                to: "../../../devices/platform/i2c-1/\(place)/iio:device\(number + 3)")
        }
        func value(_ device: Value.Kind) throws -> [String: String] {
            try make(IIODriver.self, ["device": device], in: tree).values()
        }
        #expect(try value("1-0076") == ["temp": "1.0 °C"])
        #expect(try value("1-0077") == ["temp": "2.0 °C"])
        #expect(try value("roof") == ["temp": "2.0 °C"])
        let both = try make(IIODriver.self, ["device": "bme280"], in: tree)
        #expect(
            both.failure()?.text(in: tree)
                == #"/sys/bus/iio/devices has 2 devices "bme280"; name one of 1-0076, roof"#)
        let none = try make(IIODriver.self, ["device": "ads1115"], in: tree)
        #expect(
            none.failure()?.text(in: tree)
                == #"/sys/bus/iio/devices has no device "ads1115"; it has bme280 (1-0076), bme280 (roof, 1-0077)"#)
    }

    @Test("An hx711 counts from the negative end, and both ends are out of range") func hx711() throws {
        let tree = try Self.device(
            "hx711",
            [
                "in_voltage0_raw": "8388608", "in_voltage_scale": "0.000000231",
                "scan_elements/in_voltage0_type": "le:u24/32>>0",
            ])
        let driver = try make(IIODriver.self, ["device": "hx711", "channel": "voltage0"], in: tree)
        #expect(try driver.read(at: noon) == [Measurement(.number(0), unit: "V")])
        for (raw, volts) in [("0", -0.001937768448), ("16777215", 0.001937768217)] {
            try tree.write("\(Self.folder)/in_voltage0_raw", raw)
            let measured = try #require(try driver.read(at: noon).first)
            #expect(measured.quality == .outOfRange("the raw value \(raw) is at the end of the scale"))
            #expect(measured.number == volts)
        }
    }

    @Test(
        "The ends of a converter's scale are out of range",
        arguments: [
            ("in_voltage0_raw_available", "[0 1 4095]", "4095", false),
            ("in_voltage0_raw_available", "[0 1 4095]", "0", true),
            ("in_voltage0_raw_available", "[0 1 4095]", "4094", true),
            ("in_voltage_raw_available", "[-2048 1 2047]", "-2048", false),
            ("scan_elements/in_voltage0_type", "be:s12/16>>4", "2047", false),
            ("scan_elements/in_voltage0_type", "be:s12/16>>4", "2046", true),
            ("buffer0/in_voltage_type", "le:u10/16>>0", "1023", false),
            ("scan_elements/in_voltage0_type", "nonsense", "2047", true),
            ("scan_elements/in_voltage0_type", "le:s999/16>>0", "2047", true),
            ("in_voltage0_raw_available", "garbage", "4095", true),
        ])
    func range(attribute: String, text: String, raw: String, isGood: Bool) throws {
        let tree = try Self.device("adc", ["in_voltage0_raw": raw, attribute: text])
        let driver = try make(IIODriver.self, ["device": "adc"], in: tree)
        #expect(try driver.read(at: noon).map { $0.quality == .good } == [isGood])
    }

    @Test("Oversampling is written where it differs, and only what is permitted") func oversampling() throws {
        let tree = try Self.device(
            "bme280",
            [
                "in_temp_input": "1000", "in_temp_oversampling_ratio": "2",
                "in_temp_oversampling_ratio_available": "1 2 4 8 16",
            ])
        let path = "\(Self.folder)/in_temp_oversampling_ratio"
        #expect(
            try make(IIODriver.self, ["device": "bme280", "oversampling": 16], in: tree).values() == ["temp": "1.0 °C"])
        #expect(try tree.read(path) == "16")
        let odd = try make(IIODriver.self, ["device": "bme280", "oversampling": 3], in: tree)
        #expect(odd.failure()?.text(in: tree) == "\(path) does not permit 3; it permits 1 2 4 8 16")
        #expect(odd.failure()?.kind == .rejected)
        #expect(try tree.read(path) == "16")

        let shared = try Self.device(
            "adc", ["in_voltage0_raw": "1", "oversampling_ratio": "1", "oversampling_ratio_available": "[1 1 32]"])
        _ = try make(IIODriver.self, ["device": "adc", "oversampling": 32], in: shared).values()
        #expect(try shared.read("\(Self.folder)/oversampling_ratio") == "32")
        #expect(
            try make(IIODriver.self, ["device": "adc", "oversampling": 33], in: shared).failure()?.kind == .rejected)

        let none = try make(
            IIODriver.self, ["device": "x", "oversampling": 4], in: try Self.device("x", ["in_temp_input": "1"]))
        #expect(none.failure()?.problem == "has no oversampling")
    }

    @Test("What is no channel is none") func noChannels() throws {
        let tree = try Self.device(
            "x",
            [
                "in_temp_scale": "1", "out_voltage0_raw": "5", "in_rot_quaternion_raw": "1 2 3 4", "in_raw": "1",
                "in__raw": "2",
                "sampling_frequency": "10", "in_temp_oversampling_ratio": "1",
            ])
        let driver = try make(IIODriver.self, ["device": "x"], in: tree)
        #expect(driver.failure()?.problem == "has no channel that can be read")
    }

    @Test("Options are checked") func options() {
        #expect(
            problems(of: IIODriver.self, ["value": "scaled", "oversampling": 0, "channel": ["a", "a"], "scale": 2]) == [
                "1:1: sensor[1].device: is missing",
                #"2:9: sensor[1].value: "scaled" is not possible: possible are processed, raw"#,
                "3:16: sensor[1].oversampling: 0 is out of range: allowed is 1 to 65536",
                #"4:11: sensor[1].channel: "a" stands there twice: keep it once"#,
                "5:1: sensor[1].scale: unknown key: known here are also device",
            ])
    }
}

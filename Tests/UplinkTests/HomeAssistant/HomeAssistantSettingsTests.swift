import Settings
import Testing
import Units

@testable import Uplink

@Suite struct HomeAssistantSettingsTests {
    @Test func settingsAreReadAndHaveDefaults() throws {
        let none = try #require(HomeAssistantSettings(settingsTable([:])))
        #expect(none == HomeAssistantSettings() && none.discoveryPrefix == "homeassistant")
        let table = settingsTable([
            "discovery_prefix": .string("ha/discovery"), "birth_topic": .string("ha/status"),
            "device_name": .string("Cold store"),
            "model": .string("Raspberry Pi 4"), "manufacturer": .string("Raspberry Pi"), "area": .string("Cellar"),
            "expire": .boolean(false), "diagnostics": .boolean(false),
        ])
        let settings = try #require(HomeAssistantSettings(table))
        #expect(table.finished() == [])
        #expect(settings.discoveryPrefix == "ha/discovery" && settings.birthTopic == "ha/status")
        #expect(settings.name == "Cold store" && settings.area == "Cellar" && settings.model == "Raspberry Pi 4")
        #expect(!settings.expires && !settings.enablesDiagnostics)
    }

    @Test func mistakesInSettingsAreNamed() {
        let table = settingsTable([
            "discovery_prefix": .string("homeassistant/"), "birth_topic": .string("ha/#"), "aera": .string(""),
        ])
        #expect(HomeAssistantSettings(table) == nil)
        #expect(
            table.finished() == [
                "uplink[1].discovery_prefix: \"homeassistant/\" begins or ends with a slash: leave it out, as in \"homeassistant\"",
                "uplink[1].birth_topic: \"ha/#\" is no topic: take out + and #, which only subscriptions have",
                "uplink[1].aera: unknown key: did you mean \"area\"?",
            ])
    }

    @Test func aSensorsTableIsReadAndMistakesAreNamed() {
        let table = settingsTable([
            "name": .string("Bin"), "device_class": .string("moisture"), "state_class": .string("total"),
            "icon": .string("mdi:trash-can"), "entity_category": .string("diagnostic"), "enabled": .boolean(false),
            "hidden": .boolean(true), "expire_after": .string("1h"), "value_template": .string("{{ value }}"),
            "min": .integer(5), "max": .number(7.5), "step": .number(0.5),
        ])
        let entity = HomeAssistantEntity(table)
        #expect(table.finished() == [])
        #expect(entity.deviceClass == "moisture" && entity.stateClass == "total" && entity.category == .diagnostic)
        #expect(entity.isHidden && entity.isEnabled == false && entity.expiresAfter == .seconds(3600))
        #expect(entity.minimum == 5 && entity.maximum == 7.5 && entity.step == 0.5)

        let wrong = settingsTable([
            "device_class": .string("temprature"), "icon": .string("trash"), "entity_category": .string("test"),
            "min": .integer(200),
        ])
        _ = HomeAssistantEntity(wrong)
        let problems = wrong.finished()
        #expect(problems.count == 4)
        #expect(
            problems[0].hasPrefix(
                "uplink[1].device_class: \"temprature\" is no device class: did you mean \"temperature\"?"))
        #expect(
            problems[1] == "uplink[1].icon: \"trash\" is no icon: write it with its collection, as in \"mdi:trash-can\""
        )
        #expect(problems[2].hasPrefix("uplink[1].entity_category: \"test\" is not possible"))
        #expect(problems[3].hasPrefix("uplink[1].min: 100 is not above the least value, 200"))
    }
}

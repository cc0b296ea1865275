//! Payloads of the clouds: OneNET's `$dp` and Aliyun's Alink JSON.

use std::borrow::Cow;

use hexmq_device::{CivilTime, Span, Time, Value as PointValue};
use hexmq_dialect_onenet::dp::{DataType, Point, Separators, encode};
use serde_json::{Value, json};

use super::BuildError;

/// A `$dp` payload of type `number` (1 to 8) with the members of the JSON object `values` as data
/// points. `at` (`2024-05-01 12:30:00`) is their time: in the header of types 6 and 7, with each
/// value in types 1 and 4.
///
/// # Errors
/// No such type, no such time, or values that the type has no place for.
pub fn dp(number: u8, values: &Value, at: Option<&str>) -> Result<Vec<u8>, BuildError> {
    let data_type = DataType::from_number(number)
        .ok_or_else(|| BuildError::new("$dp", format!("{number} is no type of upload; they are 1 to 8")))?;
    let members = values.as_object().filter(|members| !members.is_empty()).ok_or_else(|| {
        BuildError::new("$dp", "values were expected as a JSON object: {\"temperature\":23.5}")
    })?;
    let time = at
        .map(|at| {
            let expected = "a time was expected, such as 2024-05-01 12:30:00";
            CivilTime::parse(at).ok_or_else(|| BuildError::new("$dp", expected))
        })
        .transpose()?;
    let in_header = data_type.may_be_timed();
    let texts: Vec<String> = members.values().map(Value::to_string).collect();
    let mut points = Vec::with_capacity(members.len());
    for ((name, value), text) in members.iter().zip(&texts) {
        points.push(Point {
            stream: Cow::Borrowed(name),
            value: point_value(name, value, text, data_type)?,
            at: time.map(Time::Civil),
            description: None,
            span: Span { offset: 0, length: 0 },
        });
    }
    encode(data_type, &points, time.filter(|_| in_header), Separators::default())
        .map_err(|error| BuildError::new("$dp", error.to_string()))
}

/// The value as the type writes it: type 7 has single precision, so a number is rounded to that.
fn point_value<'a>(
    name: &str,
    value: &'a Value,
    text: &'a str,
    data_type: DataType,
) -> Result<PointValue<'a>, BuildError> {
    if let (DataType::Floats, Some(number)) = (data_type, value.as_f64()) {
        return Ok(PointValue::Real(f64::from(number as f32)));
    }
    Ok(match value {
        Value::Bool(flag) => PointValue::Boolean(*flag),
        Value::String(text) => PointValue::Text(Cow::Borrowed(text)),
        Value::Array(_) | Value::Object(_) => PointValue::Json(text),
        Value::Number(_) => PointValue::number(text)
            .ok_or_else(|| BuildError::new(format!("$dp.{name}"), "the number is too large"))?,
        Value::Null => {
            return Err(BuildError::new(format!("$dp.{name}"), "null is no value of a data point"));
        }
    })
}

/// An Alink request: `{"id":"1","version":"1.0","params":…,"method":"thing.event.property.post"}`.
pub fn alink(method: &str, params: &Value, id: &str) -> Vec<u8> {
    json!({ "id": id, "version": "1.0", "params": params, "method": method }).to_string().into_bytes()
}

/// The topic a device publishes such a request to.
pub fn alink_topic(product_key: &str, device_name: &str, method: &str) -> String {
    format!("/sys/{product_key}/{device_name}/{}", method.replace('.', "/"))
}

#[cfg(test)]
mod tests {
    use hexmq_dialect_onenet::dp::TOPIC;

    use super::*;

    #[test]
    fn every_type_that_takes_values_says_them_again() {
        assert_eq!(TOPIC, "$dp");
        let values = json!({"t": 23.5, "n": 7, "on": true, "s": "a\"b", "o": {"x": 1}});
        let payload = dp(3, &values, None).expect("type 3");
        assert_eq!(payload.first(), Some(&3));
        assert_eq!(serde_json::from_slice::<Value>(&payload[3..]).expect("JSON"), values);
        let payload = dp(1, &values, Some("2016-12-22 22:22:22")).expect("type 1");
        let streams: Value = serde_json::from_slice(&payload[3..]).expect("JSON");
        assert_eq!(streams["datastreams"][0]["id"], "t");
        assert_eq!(streams["datastreams"][0]["datapoints"][0]["at"], "2016-12-22 22:22:22");
        let payload = dp(4, &json!({"t": 1}), Some("2016-12-22 22:22:22")).expect("type 4");
        assert_eq!(&payload[3..], br#"{"t":{"2016-12-22 22:22:22":1}}"#);
        assert!(dp(5, &json!({"t": 1.5}), None).is_ok());
        assert!(dp(7, &json!({"1": 23.6}), Some("2016-12-22 22:22:22")).expect("type 7")[0] & 0x80 != 0);
        assert!(dp(6, &json!({"t": 1.5}), Some("2016-12-22 22:22:22")).expect("type 6")[0] & 0x80 != 0);
        assert_eq!(dp(7, &json!({"1": 1.5}), None).expect("type 7"), [7, 0, 1, 0, 1, 0, 0, 0xC0, 0x3F]);
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |number, values: Value, at| dp(number, &values, at).expect_err("refused").to_string();
        assert_eq!(refused(9, json!({"t": 1}), None), "$dp: 9 is no type of upload; they are 1 to 8");
        assert!(refused(3, json!([1]), None).contains("JSON object"));
        assert!(refused(3, json!({"t": null}), None).contains("null"));
        assert!(refused(3, json!({"t": 1}), Some("noon")).contains("a time was expected"));
        assert!(refused(3, json!({"t": 1}), Some("2016-12-22 22:22:22")).contains("takes no time"));
    }

    #[test]
    fn an_alink_request_goes_to_the_topic_of_its_method() {
        let payload = alink("thing.event.property.post", &json!({"a": 1}), "7");
        assert_eq!(
            String::from_utf8(payload).expect("text"),
            r#"{"id":"7","version":"1.0","params":{"a":1},"method":"thing.event.property.post"}"#
        );
        assert_eq!(
            alink_topic("pk", "dn", "thing.event.property.post"),
            "/sys/pk/dn/thing/event/property/post"
        );
    }
}

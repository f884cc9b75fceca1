//! Opsets 7 and 8 read as opset 9, in which an explained model can be written. Of the operators that opset 9 changed, these
//! changed in more than the types that they take (onnx, docs/Changelog.md).

use super::model::WRITE_OPSET;
use super::node::{Attr, make};
use super::proto::{GraphProto, ModelProto, NodeProto};
use super::tensor::Tensor;
use crate::error::{Error, Result};

/// Brings the standard operators up, where they are older.
pub(super) fn upgrade(model: &mut ModelProto) -> Result<()> {
    let standard = model.opset_import.iter_mut().find(|o| matches!(o.domain(), "" | "ai.onnx"));
    if let Some(import) = standard.filter(|o| o.version() < WRITE_OPSET) {
        import.set_version(WRITE_OPSET);
        nodes(model.graph.mut_or_insert_default())?;
    }
    Ok(())
}

fn nodes(graph: &mut GraphProto) -> Result<()> {
    for mut node in std::mem::take(&mut graph.node) {
        for inner in node.attribute.iter_mut().flat_map(|a| a.g.as_mut().into_iter().chain(&mut a.graphs)) {
            nodes(inner)?;
        }
        if matches!(node.domain(), "" | "ai.onnx") {
            graph.node.extend(changed(&mut node)?);
        }
        graph.node.push(node);
    }
    Ok(())
}

/// Changes a node; the constant that it reads then, if it does.
fn changed(node: &mut NodeProto) -> Result<Option<NodeProto>> {
    let refuse = |node: &NodeProto, why: &str| Error::ModelUnusable {
        why: format!("its {} node {:?} {why} (onnx.version_converter changes the opset)", node.op_type(), node.name()),
    };
    match node.op_type() {
        // scales were an attribute
        "Upsample" => {
            let Some(at) = node.attribute.iter().position(|a| a.name() == "scales") else {
                return Err(refuse(node, "has no scales"));
            };
            let scales = node.attribute.remove(at).floats;
            let name = format!("{}/scales", node.output.first().map_or("", String::as_str));
            node.input.push(name.clone());
            let value = [("value", Attr::Tensor(Tensor::f32(&[scales.len()], scales)))];
            Ok(Some(make("Constant", &name, &[], &[&name], &value)))
        }
        // statistics could be of each pixel
        "BatchNormalization" => {
            if node.attribute.iter().any(|a| a.name() == "spatial" && a.i() == 0) {
                return Err(refuse(node, "has spatial=0, which opset 9 gave up"));
            }
            node.attribute.retain(|a| a.name() != "spatial");
            Ok(None)
        }
        "Scan" => Err(refuse(node, "has its form of before opset 9")),
        _ => Ok(None),
    }
}
